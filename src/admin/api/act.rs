//! Runs changes on a thread that may block.

use std::sync::Arc;

use http::StatusCode;

use super::caller::Caller;
use crate::admin::blocking::run_blocking;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::actor::{Actor, Via};
use crate::change::control::ChangeControl;
use crate::change::error::ChangeError;

impl Caller {
    /// Returns the caller as the author of changes.
    pub(super) fn actor(&self) -> Actor {
        let address = Some(self.peer.client.ip().to_canonical());
        Actor { name: self.client.clone(), role: self.role, via: Via::Api, address }
    }
}

/// Runs a function on drafts, the history or the audit.
///
/// # Errors
/// Returns the problem response for the error.
pub(super) async fn act<T: Send + 'static>(
    state: &AdminState,
    caller: &Caller,
    act: impl FnOnce(&ChangeControl, &Actor) -> Result<T, ChangeError> + Send + 'static,
) -> Result<T, Problem> {
    let (changes, actor) = (Arc::clone(state.changes()), caller.actor());
    let done = run_blocking(move || act(&changes, &actor)).await.ok_or_else(Problem::internal)?;
    done.map_err(|error| Problem::from(&error))
}

impl From<&ChangeError> for Problem {
    fn from(error: &ChangeError) -> Self {
        if let ChangeError::Invalid(errors) = error {
            return Self::of_config("the changed configuration would have errors", errors);
        }
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, error.name(), error.to_string())
    }
}
