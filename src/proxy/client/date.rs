//! The `Date` of responses that have none.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::turn;

thread_local! {
    /// The last one, and until when it serves.
    static DATE: RefCell<Option<(Instant, String)>> = const { RefCell::new(None) };
}

/// Appends the present time (RFC 9110 §6.6.1). A thread reads the wall clock for it a few times a second at most.
pub(super) fn write_date(out: &mut Vec<u8>) {
    let now = turn::now();
    DATE.with_borrow_mut(|date| {
        let (until, text) = date.get_or_insert_with(|| (now, String::new()));
        if text.is_empty() || now >= *until {
            *text = httpdate::fmt_http_date(SystemTime::now());
            *until = now + Duration::from_millis(200);
        }
        out.extend_from_slice(text.as_bytes());
    });
}
