//! Reasons why a self-test cannot run.

use std::error::Error;
use std::fmt;

/// The reason why a self-test cannot run.
#[derive(Debug)]
pub(crate) enum SelfTestError {
    /// An argument or the configuration is unsuitable.
    Usage(String),
    /// The gateway or the system did not respond.
    Failed(String),
}

impl fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}

impl Error for SelfTestError {}
