//! Whether the details of requests are recorded: for the access log, for traces, or for neither.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The access log.
pub(super) const ACCESS_LOG: u8 = 1;
/// Traces.
pub(super) const TRACES: u8 = 2;

/// The features that record details, one bit each. A request reads them with one load.
static WANTED: AtomicU8 = AtomicU8::new(0);

pub(super) fn turn_on(user: u8) {
    WANTED.fetch_or(user, Relaxed);
}

pub(super) fn turn_off(user: u8) {
    WANTED.fetch_and(!user, Relaxed);
}

/// Returns whether the details of requests are recorded.
#[inline]
pub(crate) fn are_recorded() -> bool {
    WANTED.load(Relaxed) != 0
}
