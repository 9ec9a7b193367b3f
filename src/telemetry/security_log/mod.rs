//! The security log: one line for each event that a security team looks for, in the fields of the Elastic
//! Common Schema.
//!
//! A request that passes runs none of this code. Each kind of event has its own rate, so that a flood of one
//! kind hides no other; what is left out is counted, and reported in the log.

mod event;
mod limit;
mod writer;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use self::event::{Event, Kind};

use self::limit::{LIMITS, Verdict};
use super::access_log::Output;

static ON: AtomicBool = AtomicBool::new(false);
/// The events of each kind, written or not.
static EVENTS: [AtomicU64; Kind::ALL.len()] = [const { AtomicU64::new(0) }; Kind::ALL.len()];
static PER_SECOND: AtomicU64 = AtomicU64::new(0);

/// Returns whether events are logged.
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Sets the output of new lines, and how many of each kind are written in a second.
///
/// # Errors
/// Fails if the writer thread cannot be started.
pub(crate) fn set(output: Output, per_second: u32) -> io::Result<()> {
    let on = output.0.is_some();
    PER_SECOND.store(per_second.into(), Relaxed);
    writer::set_output(output)?;
    ON.store(on, Relaxed);
    Ok(())
}

/// Logs an event, unless there were too many of its kind in this second.
pub(crate) fn submit(event: &Event<'_>) {
    if !is_on() {
        return;
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (Some(limit), Some(events)) = (LIMITS.get(event.kind as usize), EVENTS.get(event.kind as usize))
    else {
        return;
    };
    events.fetch_add(1, Relaxed);
    let Verdict::Write { left_out } = limit.check(second, PER_SECOND.load(Relaxed)) else { return };
    let mut line = Vec::new();
    event.write(&mut line, now, left_out);
    if !writer::submit(line) {
        limit.leave_out(1 + left_out);
    }
}

/// Writes everything submitted so far, and waits for it up to a timeout.
pub(crate) fn flush(timeout: Duration) {
    writer::flush(timeout);
}

/// Returns the number of events of each kind, and how many of them were left out of the log.
pub(super) fn counts() -> impl Iterator<Item = (Kind, u64, u64)> {
    Kind::ALL
        .into_iter()
        .zip(EVENTS.iter().zip(&LIMITS))
        .map(|(kind, (events, limit))| (kind, events.load(Relaxed), limit.left_out_in_all()))
}
