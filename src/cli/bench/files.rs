//! The files that the figures are written to.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::arguments::Arguments;
use crate::bench::outcome::Outcome;
use crate::bench::report;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) struct Files {
    json: Option<PathBuf>,
    html: Option<PathBuf>,
}

impl Files {
    /// Opens the files, so that one that cannot be written fails before the measurement.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let files = Self { json: arguments.json.clone(), html: arguments.html.clone() };
        for path in [files.json_file(), files.html.as_deref()].into_iter().flatten() {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|error| Failure::config(format!("cannot write {}: {error}", path.display())))?;
        }
        Ok(files)
    }

    pub(super) fn json_is_output(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    fn json_file(&self) -> Option<&Path> {
        self.json.as_deref().filter(|_| !self.json_is_output())
    }

    pub(super) fn write(&self, outcome: &Outcome) -> Result<(), Failure> {
        let json = || output::json(&report::json(outcome));
        if self.json_is_output() {
            output::print(&json())?;
        }
        if let Some(path) = self.json_file() {
            write(path, &json())?;
        }
        if let Some(path) = &self.html {
            write(path, &report::page(outcome))?;
        }
        Ok(())
    }

    pub(super) fn report(&self) {
        for path in [self.json_file(), self.html.as_deref()].into_iter().flatten() {
            output::note(&format!("written: {}", path.display()));
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::other(format!("cannot write {}: {error}", path.display())))
}
