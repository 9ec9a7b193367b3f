//! Moments, as the API writes them (RFC 3339).

use std::time::{Duration, SystemTime};

use crate::utc;

/// Returns a moment of the wall clock.
pub(super) fn at(moment: SystemTime) -> String {
    utc::at(moment).to_string()
}

/// Returns the moment this long after 1970.
pub(super) fn since_1970(since: Duration) -> String {
    utc::from_unix(since.as_secs()).to_string()
}
