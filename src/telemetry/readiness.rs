//! Whether this process accepts requests, for load balancers and orchestrators.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const ENDING: u8 = 2;

/// It only moves forward.
static PHASE: AtomicU8 = AtomicU8::new(STARTING);

/// Records that every worker accepts connections.
pub(crate) fn record_serving() {
    PHASE.fetch_max(SERVING, Relaxed);
}

/// Records that no more connections are accepted.
pub(crate) fn record_end() {
    PHASE.fetch_max(ENDING, Relaxed);
}

/// Returns whether connections are accepted.
pub(crate) fn is_serving() -> bool {
    PHASE.load(Relaxed) == SERVING
}
