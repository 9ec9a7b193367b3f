//! What probes and requests have shown about one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ejection::EjectionState;
use super::health::status::HealthStatus;

/// What probes and requests say of one server of an upstream. A reload keeps it while the server stays.
#[derive(Debug)]
pub(crate) struct ServerState {
    /// What its probes say; good where it is not probed.
    pub(crate) health: HealthStatus,
    /// What its requests say.
    pub(crate) ejection: EjectionState,
    /// Where changes of either are told.
    pub(crate) changes: Arc<ChangeCounter>,
}

/// Counts the changes in the standing of an upstream's servers. As long as it does not move, whoever found all of them
/// well need not look again.
#[derive(Debug, Default)]
pub(crate) struct ChangeCounter(AtomicU64);

impl ChangeCounter {
    /// Something changed, and is there to be read.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// How many so far. Never `u64::MAX`.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
