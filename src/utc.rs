//! Moments of the wall clock as they are shown: in whole seconds, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Returns the moment that is `seconds` after 1970. It displays as `2026-11-23T08:30:00Z` (RFC 3339). A
/// moment after the year 9999 counts as the last of that year.
pub(crate) fn from_unix(seconds: u64) -> Timestamp {
    let moment = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.unwrap_or(Timestamp::MAX)
}

/// Returns a moment of the wall clock, cut to the second. A moment before 1970 counts as 1970.
pub(crate) fn at(moment: SystemTime) -> Timestamp {
    from_unix(moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_display_in_whole_seconds() {
        assert_eq!(from_unix(784_111_777).to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(from_unix(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(
            at(UNIX_EPOCH + std::time::Duration::from_millis(951_782_400_999)).to_string(),
            "2000-02-29T00:00:00Z"
        );
        assert_eq!(from_unix(u64::MAX), Timestamp::MAX);
    }
}
