//! Where the access log is written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Output(pub(super) Option<File>);

impl Output {
    /// Nowhere.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// To standard output.
    ///
    /// # Errors
    /// Where the process has none.
    pub(crate) fn stdout() -> io::Result<Self> {
        // A handle of its own: no other thread's lock, and no buffer in between.
        Ok(Self(Some(io::stdout().as_fd().try_clone_to_owned()?.into())))
    }

    /// To the end of a file, which is made if it is not there, for its owner and group alone.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).create(true).mode(0o640).open(path).map(|file| Self(Some(file)))
    }
}
