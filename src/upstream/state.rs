//! The state of a server, as its probes and requests show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ejection::EjectionState;
use super::health::status::HealthStatus;
use super::last_fault::LastFault;

/// The state of a server. A reload keeps it as long as the server remains in the configuration.
#[derive(Debug)]
pub(crate) struct ServerState {
    /// The result of the probes. A server that is not probed is healthy.
    pub(crate) health: HealthStatus,
    /// The outcomes of requests, and the ejection that follows from them.
    pub(crate) ejection: EjectionState,
    /// The last fault of a probe or of a request.
    pub(crate) last_fault: LastFault,
    /// Counts the changes of the first two, shared by the servers of an upstream.
    pub(crate) changes: Arc<ChangeCounter>,
}

/// Counts the changes in the states of an upstream's servers. While the count is unchanged, a caller that
/// found all servers available need not check them again.
#[derive(Debug, Default)]
pub(crate) struct ChangeCounter(AtomicU64);

impl ChangeCounter {
    /// Publishes a change.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// Returns the number of changes so far. Never `u64::MAX`.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
