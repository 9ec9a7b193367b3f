//! The errors of a benchmark.

use std::error::Error;
use std::fmt;

use crate::config::ConfigErrors;
use crate::gateway::error::StartError;
use crate::gateway_client::RequestError;

/// Why a benchmark ends without figures.
#[derive(Debug)]
pub(crate) enum BenchError {
    /// The arguments or the configuration allow no measurement.
    Usage(String),
    /// The measurement failed.
    Failed(String),
}

impl BenchError {
    pub(crate) fn usage(text: impl ToString) -> Self {
        Self::Usage(text.to_string())
    }

    pub(crate) fn failed(text: impl ToString) -> Self {
        Self::Failed(text.to_string())
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
        }
    }
}

impl Error for BenchError {}

impl From<ConfigErrors> for BenchError {
    fn from(errors: ConfigErrors) -> Self {
        Self::usage(errors)
    }
}

impl From<StartError> for BenchError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(text) => Self::Usage(text),
            StartError::System(text) => Self::Failed(text),
        }
    }
}

impl From<RequestError> for BenchError {
    fn from(error: RequestError) -> Self {
        Self::failed(error)
    }
}
