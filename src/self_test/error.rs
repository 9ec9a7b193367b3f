//! Why a self-test cannot be made.

use std::error::Error;
use std::fmt;

/// Why a self-test cannot be made.
#[derive(Debug)]
pub(crate) enum SelfTestError {
    /// An argument or the configuration does not fit.
    Usage(String),
    /// The gateway or the system does not answer.
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
