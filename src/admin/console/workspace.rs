//! The drafts, and the commit that awaits confirmation.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::view::frame::Pending;
use super::wording;
use crate::admin::blocking::run_blocking;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::actor::Via;
use crate::change::draft::Draft;
use crate::change::error::ChangeError;

/// The drafts and the commit that awaits confirmation, at the time of the request.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// All drafts, the most recently changed one first.
    pub(super) drafts: Vec<Draft>,
    /// The commit that awaits confirmation: its version, and its deadline.
    unconfirmed: Option<(u64, SystemTime)>,
    /// The newest version of the history.
    pub(super) version: Option<u64>,
}

impl Workspace {
    /// Reads the drafts. If they cannot be read, the list is empty, and changes fail with the reason.
    pub(super) async fn read(admin: &AdminState) -> Self {
        let changes = Arc::clone(admin.changes());
        let read = run_blocking(move || {
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

    /// Returns the draft that a user's forms add to: the user's own draft that was changed last.
    pub(super) fn own(&self, user: &str) -> Option<&Draft> {
        self.drafts.iter().find(|draft| draft.is_of(user, Via::Console))
    }

    /// Returns the commit that awaits confirmation, in the form that the header shows.
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

/// Converts a refused change into an error response of the listener.
pub(super) fn problem(error: ChangeError) -> Problem {
    Problem::from(&error)
}
