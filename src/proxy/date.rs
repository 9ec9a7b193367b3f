//! The `Date` of responses without one.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::time::Instant;

use crate::clock::turn;

thread_local! {
    /// The last formatted date, and when it expires.
    static DATE: RefCell<Option<(Instant, String)>> = const { RefCell::new(None) };
}

/// Appends the current date (RFC 9110 §6.6.1).
pub(super) fn write_date(out: &mut Vec<u8>) {
    with_date(|date| out.extend_from_slice(date.as_bytes()));
}

/// Returns the current date.
pub(super) fn date_value() -> HeaderValue {
    with_date(|date| HeaderValue::from_str(date).unwrap_or(const { HeaderValue::from_static("") }))
}

/// Calls `with` with the current date. Each thread formats it at most five times a second.
fn with_date<R>(with: impl FnOnce(&str) -> R) -> R {
    let now = turn::now();
    DATE.with_borrow_mut(|date| {
        let (until, text) = date.get_or_insert_with(|| (now, String::new()));
        if text.is_empty() || now >= *until {
            *text = httpdate::fmt_http_date(SystemTime::now());
            *until = now + Duration::from_millis(200);
        }
        with(text)
    })
}
