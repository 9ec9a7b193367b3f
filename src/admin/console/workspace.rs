//! The drafts, and what waits for a confirmation.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use tokio::task::spawn_blocking;

use super::view::frame::Pending;
use super::wording;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::actor::Via;
use crate::change::draft::Draft;
use crate::change::error::ChangeError;

/// The drafts and what waits for a confirmation, as they were when the request came.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// All drafts, the one that was changed last first.
    pub(super) drafts: Vec<Draft>,
    /// The commit that waits: its version, and when it is rolled back.
    unconfirmed: Option<(u64, SystemTime)>,
    /// The newest version of the history.
    pub(super) version: Option<u64>,
}

impl Workspace {
    /// Reads the drafts. Where they cannot be read, there are none, and changes fail with the reason.
    pub(super) async fn read(admin: &AdminState) -> Self {
        let changes = Arc::clone(admin.changes());
        let read = spawn_blocking(move || {
            let unconfirmed = changes.unconfirmed().ok().flatten();
            let version = changes.history(None, 1).ok().and_then(|versions| Some(versions.first()?.number));
            Self {
                drafts: changes.drafts().unwrap_or_default(),
                unconfirmed: unconfirmed.map(|waits| (waits.version, moment(waits.deadline))),
                version,
            }
        });
        read.await.unwrap_or_default()
    }

    /// Returns the draft that a user's forms add to: the own one that was changed last.
    pub(super) fn own(&self, user: &str) -> Option<&Draft> {
        self.drafts.iter().find(|draft| draft.is_of(user, Via::Console))
    }

    /// Returns the commit that waits for its confirmation, as the header shows it.
    pub(super) fn pending(&self) -> Option<Pending> {
        let (version, deadline) = self.unconfirmed?;
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let at = wording::moment(deadline);
        Some(Pending {
            version,
            deadline: at.replace(" UTC", "Z").replace(' ', "T"),
            deadline_unix: wording::unix(deadline),
            at: at.split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned()),
            left: wording::left(left),
        })
    }
}

/// Returns the moment of an operation or a draft.
pub(super) fn moment(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// Returns a refused change as an error of the listener.
pub(super) fn problem(error: ChangeError) -> Problem {
    if let ChangeError::Invalid(errors) = &error {
        return Problem::of_config("the changed configuration would have errors", errors);
    }
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Problem::new(status, error.name(), error.to_string())
}
