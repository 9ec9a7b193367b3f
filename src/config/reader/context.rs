//! What is shared while a configuration is read.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::config::error::{ConfigError, ErrorKind, Position};
use crate::config::reading::Reading;
use crate::config::sources::Sources;
use crate::config::variables::Variables;
use crate::config::warning::{ConfigWarning, Lint};

/// The shared state while a configuration is read: its texts, the environment, and the errors so far.
pub(in crate::config) struct Context<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) variables: &'a Variables,
    /// The folder that relative paths in the file start at.
    pub(in crate::config) base_dir: &'a Path,
    /// The value of a secret whose environment variable is not set.
    pub(in crate::config) unset_secret: Option<&'static str>,
    problems: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<ConfigWarning>>,
    files: RefCell<Vec<PathBuf>>,
}

impl<'a> Context<'a> {
    pub(in crate::config) fn new(
        sources: &'a Sources<'a>,
        variables: &'a Variables,
        base_dir: &'a Path,
        reading: &Reading<'_>,
    ) -> Self {
        let unset_secret = reading.unset_secret;
        let (problems, warnings, files) = Default::default();
        Self { sources, variables, base_dir, unset_secret, problems, warnings, files }
    }

    /// Returns the position of a byte.
    pub(in crate::config) fn position(&self, at: usize) -> Position {
        self.sources.position(at)
    }

    /// Returns the file, line and column of a byte.
    pub(in crate::config) fn place(&self, at: usize) -> String {
        let position = self.position(at);
        format!("{}:{}:{}", self.sources.path(position).display(), position.line, position.column)
    }

    /// Returns how an error at one position refers to another one.
    pub(in crate::config) fn seen_from(&self, here: Position, other: Position) -> String {
        if here.file == other.file {
            return format!("in line {}", other.line);
        }
        format!("at {}:{}:{}", self.sources.path(other).display(), other.line, other.column)
    }

    pub(in crate::config) fn report(
        &self,
        kind: ErrorKind,
        position: Position,
        key: &str,
        value: Option<String>,
        message: impl Into<String>,
    ) {
        self.problems.borrow_mut().push(ConfigError {
            kind,
            file: self.sources.path(position).to_owned(),
            position: Some(position),
            key: key.to_owned(),
            value,
            message: self.variables.hide(message.into()),
        });
    }

    /// Adds a file that the configuration names.
    pub(in crate::config) fn names(&self, path: &Path) {
        let mut files = self.files.borrow_mut();
        if !files.iter().any(|known| known == path) {
            files.push(path.to_owned());
        }
    }

    /// Returns the files that the configuration names.
    pub(in crate::config) fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().clone()
    }

    /// Adds a warning.
    pub(super) fn warn(
        &self,
        lint: Lint,
        position: Position,
        key: &str,
        value: Option<String>,
        message: impl Into<String>,
    ) {
        let warning = ConfigWarning::new(lint, self.sources.path(position), Some(position), key, message);
        self.warnings.borrow_mut().push(ConfigWarning { value, ..warning });
    }

    /// Takes the warnings.
    pub(in crate::config) fn take_warnings(&self) -> Vec<ConfigWarning> {
        self.warnings.take()
    }

    pub(in crate::config) fn into_problems(self) -> Vec<ConfigError> {
        self.problems.into_inner()
    }
}
