//! The thread that writes the access log.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::output::Output;
use crate::telemetry::thread::all_counters;

/// The maximum delay before a line is written.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// The interval between two reports about a failing output.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// The capacity that an empty buffer keeps.
const KEPT_CAPACITY: usize = 256 << 10;
/// The delay before the next attempt to write to a full non-blocking output.
const RETRY_AFTER: Duration = Duration::from_millis(20);

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
        let writer = thread::Builder::new().name("tollgate-log".to_owned()).spawn(work)?;
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
                sink.write(&lines);
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
        *sink = output.0.map(Sink::new);
    }
}

/// An output with the state of its failures.
struct Sink<W> {
    out: W,
    /// Whether the last write ended in the middle of a line.
    ends_mid_line: bool,
    last_reported: Option<Instant>,
}

impl<W: Write> Sink<W> {
    fn new(out: W) -> Self {
        Self { out, ends_mid_line: false, last_reported: None }
    }

    /// Writes the lines, or as many as the output accepts.
    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        // If the disk was full in the middle of a line, the next line must not be appended to it.
        if self.ends_mid_line && self.write_all(b"\n").is_ok() {
            self.ends_mid_line = false;
        }
        let outcome =
            if self.ends_mid_line { Err((0, ErrorKind::WriteZero.into())) } else { self.write_all(lines) };
        let written = match &outcome {
            Ok(()) => lines.len(),
            Err((written, _)) => *written,
        };
        let (done, left) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        WRITTEN.fetch_add(count(done), Relaxed);
        let Err((_, error)) = outcome else { return };
        self.ends_mid_line |= !done.is_empty() && !done.ends_with(b"\n");
        LOST.fetch_add(count(left), Relaxed);
        self.report(&error);
    }

    /// Writes all bytes. The error contains the number of bytes written before it.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "only limits how often a message is logged")]
    fn report(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.last_reported.is_none_or(|last| now.duration_since(last) >= REPORT_EVERY) {
            self.last_reported = Some(now);
            log::error!("the access log cannot be written, lines are lost: {error}");
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', lines).count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with limited free space.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room);
            if fits == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= fits;
            self.written.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_cuts_one_line_and_no_other() {
        let mut sink = Sink::new(Disk { written: Vec::new(), room: 6 });
        sink.write(b"one\ntwo\nthree\n");
        assert!(sink.ends_mid_line);
        sink.write(b"four\n");
        sink.out.room = 100;
        sink.write(b"five\n");
        assert_eq!(sink.out.written, b"one\ntw\nfive\n");
        assert!(!sink.ends_mid_line);
    }
}
