//! The output of a log.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The output of a log, or none.
#[derive(Debug)]
pub(crate) struct Output(pub(in crate::telemetry) Option<File>);

impl Output {
    /// Turns the log off.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// Fails if the process has no standard output.
    pub(crate) fn stdout() -> io::Result<Self> {
        // A separate descriptor: no lock shared with other threads, and no buffer in between.
        Ok(Self(Some(io::stdout().as_fd().try_clone_to_owned()?.into())))
    }

    /// Appends to a file. Creates it if it does not exist, readable by its owner and group only.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).create(true).mode(0o640).open(path).map(|file| Self(Some(file)))
    }
}
