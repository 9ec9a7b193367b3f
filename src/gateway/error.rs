//! Errors of the start, and of the application of a changed configuration.

use std::fmt;

/// Why the gateway cannot start, or cannot apply a changed configuration.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The configuration, or a file that it names, has an error.
    Config(String),
    /// A system call failed, such as one that creates a thread or opens a file.
    System(String),
}

impl StartError {
    /// Wraps an error of the configuration.
    pub(crate) fn config(error: impl ToString) -> Self {
        Self::Config(error.to_string())
    }

    /// Wraps an error of the system.
    pub(crate) fn system(error: impl ToString) -> Self {
        Self::System(error.to_string())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) | Self::System(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}
