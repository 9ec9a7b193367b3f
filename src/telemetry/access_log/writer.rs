//! The thread that writes the access log.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::output::Output;
use crate::telemetry::sink::{Sink, Written};
use crate::telemetry::thread::all_counters;
use crate::threads;

/// The maximum delay before a line is written.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// The capacity that an empty buffer keeps.
const KEPT_CAPACITY: usize = 256 << 10;

/// The numbers of lines written and of lines lost because the output failed.
pub(super) static WRITTEN: AtomicU64 = AtomicU64::new(0);
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

static WRITER: OnceLock<Thread> = OnceLock::new();
static NEW_OUTPUT: Mutex<Option<Output>> = Mutex::new(None);
/// The numbers of the last flush requested and of the last flush completed.
static FLUSHES: Mutex<(u64, u64)> = Mutex::new((0, 0));
static FLUSHED: Condvar = Condvar::new();

pub(super) fn start() -> io::Result<()> {
    // Under this lock, so that two concurrent callers start only one thread.
    let _lock = NEW_OUTPUT.lock().unwrap_or_else(PoisonError::into_inner);
    if WRITER.get().is_none() {
        let writer = threads::spawn("tollgate-log", work)?;
        let _ = WRITER.set(writer.thread().clone());
    }
    Ok(())
}

/// Sets the output of new lines.
pub(super) fn set_output(output: Output) {
    *NEW_OUTPUT.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
    wake();
}

pub(super) fn wake() {
    if let Some(writer) = WRITER.get() {
        writer.unpark();
    }
}

pub(super) fn flush(timeout: Duration) {
    if WRITER.get().is_none() {
        return;
    }
    let mut flushes = FLUSHES.lock().unwrap_or_else(PoisonError::into_inner);
    flushes.0 += 1;
    let requested = flushes.0;
    wake();
    let _ = FLUSHED.wait_timeout_while(flushes, timeout, |(_, completed)| *completed < requested);
}

fn work() {
    let mut sink: Option<Sink<File>> = None;
    let mut lines = Vec::new();
    loop {
        let requested = FLUSHES.lock().unwrap_or_else(PoisonError::into_inner).0;
        // Lines logged before a change of the output still go to the old one, if there was one.
        if sink.is_none() {
            apply_new_output(&mut sink);
        }
        for counters in all_counters() {
            std::mem::swap(&mut *counters.lines.lock().unwrap_or_else(PoisonError::into_inner), &mut lines);
            if let Some(sink) = &mut sink {
                let Written { lines, lost } = sink.write(&lines);
                WRITTEN.fetch_add(lines, Relaxed);
                LOST.fetch_add(lost, Relaxed);
            }
            lines.clear();
            lines.shrink_to(KEPT_CAPACITY);
        }
        apply_new_output(&mut sink);
        FLUSHES.lock().unwrap_or_else(PoisonError::into_inner).1 = requested;
        FLUSHED.notify_all();
        match sink {
            Some(_) => thread::park_timeout(WRITE_EVERY),
            None => thread::park(),
        }
    }
}

fn apply_new_output(sink: &mut Option<Sink<File>>) {
    if let Some(output) = NEW_OUTPUT.lock().unwrap_or_else(PoisonError::into_inner).take() {
        *sink = output.0.map(|file| Sink::new(file, "access log"));
    }
}
