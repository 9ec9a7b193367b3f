//! The access log: one JSON line per request, written off the data path.
//!
//! Each thread appends its lines to its own buffer. One writer thread drains the buffers several times a
//! second, or as soon as one reaches a threshold, and is the only thread that waits for a disk or a pipe. If
//! the writer cannot keep up, the buffers fill, and further lines are dropped and counted: the log never
//! delays traffic.

mod line;
mod output;
mod writer;

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub(crate) use self::line::Line;
pub(crate) use self::output::Output;

use super::details;
use super::thread::{Event, thread_counters, total};

/// The maximum size of a thread's buffer.
const MAX_BUFFERED: usize = 1 << 20;
/// The size of a buffer at which the writer is woken.
const WAKE_AT: usize = 64 << 10;
/// The maximum time that a change of the output waits for the lines before it.
const SWITCH: Duration = Duration::from_secs(2);

static ON: AtomicBool = AtomicBool::new(false);

/// Returns whether requests are logged.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Sets the output of new lines. Lines submitted before still go to the previous output, and those submitted
/// after this call go to the new one, unless the previous one does not accept its lines for two seconds.
///
/// # Errors
/// Fails if the writer thread cannot be started.
pub(crate) fn set(output: Output) -> io::Result<()> {
    let on = output.0.is_some();
    if on {
        writer::start()?;
    }
    writer::set_output(output);
    // A file that was rotated away is complete once a reload is reported.
    writer::flush(SWITCH);
    ON.store(on, Relaxed);
    if on {
        details::turn_on(details::ACCESS_LOG);
    } else {
        details::turn_off(details::ACCESS_LOG);
    }
    Ok(())
}

/// Buffers a line, or drops it if the buffer is full.
pub(crate) fn submit(line: &Line<'_>) {
    let counters = thread_counters();
    let mut lines = counters.lines.lock().unwrap_or_else(PoisonError::into_inner);
    let before = lines.len();
    if before >= MAX_BUFFERED {
        drop(lines);
        counters.count(Event::LineDropped);
        return;
    }
    line.write(&mut lines);
    let wake = before < WAKE_AT && lines.len() >= WAKE_AT;
    drop(lines);
    if wake {
        writer::wake();
    }
}

/// Writes everything submitted so far, and waits for it up to a timeout.
pub(crate) fn flush(timeout: Duration) {
    writer::flush(timeout);
}

/// Returns the number of lines written.
pub(super) fn written() -> u64 {
    writer::WRITTEN.load(Relaxed)
}

/// Returns the number of lines lost because the writer could not keep up or the output failed.
pub(super) fn dropped() -> u64 {
    total(Event::LineDropped).wrapping_add(writer::LOST.load(Relaxed))
}

/// Logs how many lines were dropped since the last call, if any.
pub(crate) fn report_dropped() {
    static REPORTED: AtomicU64 = AtomicU64::new(0);
    let dropped = dropped();
    let new = dropped.saturating_sub(REPORTED.swap(dropped, Relaxed));
    if new > 0 {
        log::warn!("the access log cannot be written, or not fast enough: {new} lines dropped");
    }
}
