//! Failures of commands.

use crate::bench::error::BenchError;
use crate::change::EditError;
use crate::change::conflict::Conflict;
use crate::change::error::ChangeError;
use crate::change::new_secret::NewSecretError;
use crate::config::ConfigErrors;
use crate::gateway::error::StartError;
use crate::gateway_client::RequestError;

/// The failure of a command: the exit code, and the message if the command has not printed it.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Failure {
    /// The exit code for errors in usage or configuration.
    pub(crate) const USAGE: u8 = 2;

    /// A failure in usage or configuration.
    pub(crate) fn config(text: impl ToString) -> Self {
        Self { code: Self::USAGE, text: text.to_string() }
    }

    /// Any other failure.
    pub(crate) fn other(text: impl ToString) -> Self {
        Self { code: 1, text: text.to_string() }
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        if error.is_usage() { Self::config(error) } else { Self::other(error) }
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::config(conflict)
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        if error.status() == 503 { Self::other(error) } else { Self::config(error) }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::config(errors)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(text) => Self::config(text),
            StartError::System(text) => Self::other(text),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Usage(text) => Self::config(text),
            BenchError::Failed(text) => Self::other(text),
        }
    }
}

impl From<NewSecretError> for Failure {
    fn from(error: NewSecretError) -> Self {
        Self::other(error)
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::other(error)
    }
}
