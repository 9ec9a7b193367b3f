//! The access log: one JSON line for each request, written off the data path.
//!
//! A thread appends its lines to a buffer of its own; one writer takes the buffers, a few times a second or as soon as
//! one has filled up somewhat, and does all the waiting that a disk or a pipe may ask for. Where it cannot keep up the
//! buffers fill, and lines that find no room are dropped and counted: a log never holds traffic up.

mod line;
mod output;
mod writer;

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub(crate) use self::line::Line;
pub(crate) use self::output::Output;

use super::thread::{Event, mine, total};

/// Bytes of lines that one thread may have waiting.
const ROOM: usize = 1 << 20;
/// The writer is called when a buffer has grown to this.
const CALL_AT: usize = 64 << 10;

static ON: AtomicBool = AtomicBool::new(false);

/// Whether requests are logged.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Sends lines there from now on; those before go where they went.
///
/// # Errors
/// Where the system starts no thread for the writer.
pub(crate) fn set(output: Output) -> io::Result<()> {
    let on = output.0.is_some();
    if on {
        writer::start()?;
    }
    writer::hand_over(output);
    ON.store(on, Relaxed);
    Ok(())
}

/// Takes a line, if there is room.
pub(crate) fn submit(line: &Line<'_>) {
    let block = mine();
    let mut lines = block.lines.lock().unwrap_or_else(PoisonError::into_inner);
    let before = lines.len();
    if before >= ROOM {
        drop(lines);
        block.count(Event::LineDropped);
        return;
    }
    line.write(&mut lines);
    let call = before < CALL_AT && lines.len() >= CALL_AT;
    drop(lines);
    if call {
        writer::call();
    }
}

/// Has everything written that was submitted so far, and waits for it, but not for long.
pub(crate) fn flush(within: Duration) {
    writer::flush(within);
}

/// Lines that were written.
pub(super) fn written() -> u64 {
    writer::WRITTEN.load(Relaxed)
}

/// Lines that were not: the writer could not keep up, or could not write.
pub(super) fn dropped() -> u64 {
    total(Event::LineDropped).wrapping_add(writer::LOST.load(Relaxed))
}

/// Says how many lines were dropped since it was last called, if any were.
pub(crate) fn report_dropped() {
    static REPORTED: AtomicU64 = AtomicU64::new(0);
    let dropped = dropped();
    let new = dropped.saturating_sub(REPORTED.swap(dropped, Relaxed));
    if new > 0 {
        log::warn!("the access log cannot be written fast enough, or not at all: {new} lines dropped");
    }
}
