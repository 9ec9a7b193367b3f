//! The one thread that writes, and waits.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::output::Output;
use crate::telemetry::thread::all;

/// How long a line waits at most before it is written.
const EVERY: Duration = Duration::from_millis(100);
/// How often a failing output is told of.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// A buffer that has grown beyond this is given back once it is empty.
const KEEP: usize = 256 << 10;
/// How long to wait for an output that does not block and is full.
const PAUSE: Duration = Duration::from_millis(20);

/// Lines written, and lines that could not be.
pub(super) static WRITTEN: AtomicU64 = AtomicU64::new(0);
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

static WRITER: OnceLock<Thread> = OnceLock::new();
static NEXT: Mutex<Option<Output>> = Mutex::new(None);
/// Which flush was asked for last, and which is done.
static FLUSHES: Mutex<(u64, u64)> = Mutex::new((0, 0));
static FLUSHED: Condvar = Condvar::new();

pub(super) fn start() -> io::Result<()> {
    // Under the lock of what it will read first, so that two callers start one.
    let _next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    if WRITER.get().is_none() {
        let writer = thread::Builder::new().name("tollgate-log".to_owned()).spawn(work)?;
        let _ = WRITER.set(writer.thread().clone());
    }
    Ok(())
}

/// Says where lines go from now on.
pub(super) fn hand_over(output: Output) {
    *NEXT.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
    call();
}

/// Wakes the writer.
pub(super) fn call() {
    if let Some(writer) = WRITER.get() {
        writer.unpark();
    }
}

pub(super) fn flush(within: Duration) {
    if WRITER.get().is_none() {
        return;
    }
    let mut flushes = FLUSHES.lock().unwrap_or_else(PoisonError::into_inner);
    flushes.0 += 1;
    let mine = flushes.0;
    call();
    let _ = FLUSHED.wait_timeout_while(flushes, within, |(_, done)| *done < mine);
}

fn work() {
    let mut sink: Option<Sink<File>> = None;
    let mut lines = Vec::new();
    loop {
        let asked = FLUSHES.lock().unwrap_or_else(PoisonError::into_inner).0;
        // What was logged before an output is changed still goes to the old one, if there was one.
        if sink.is_none() {
            change(&mut sink);
        }
        for block in all() {
            std::mem::swap(&mut *block.lines.lock().unwrap_or_else(PoisonError::into_inner), &mut lines);
            if let Some(sink) = &mut sink {
                sink.write(&lines);
            }
            lines.clear();
            lines.shrink_to(KEEP);
        }
        change(&mut sink);
        FLUSHES.lock().unwrap_or_else(PoisonError::into_inner).1 = asked;
        FLUSHED.notify_all();
        match sink {
            Some(_) => thread::park_timeout(EVERY),
            None => thread::park(),
        }
    }
}

fn change(sink: &mut Option<Sink<File>>) {
    if let Some(next) = NEXT.lock().unwrap_or_else(PoisonError::into_inner).take() {
        *sink = next.0.map(Sink::new);
    }
}

/// An output, and what went wrong with it.
struct Sink<W> {
    out: W,
    /// The last write ended in the middle of a line.
    torn: bool,
    reported: Option<Instant>,
}

impl<W: Write> Sink<W> {
    fn new(out: W) -> Self {
        Self { out, torn: false, reported: None }
    }

    /// Writes whole lines, or as many of them as the output takes.
    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        // After a disk was full in the middle of a line, the next one must not be glued to it.
        if self.torn && self.write_all(b"\n").is_ok() {
            self.torn = false;
        }
        let outcome = if self.torn { Err((0, ErrorKind::WriteZero.into())) } else { self.write_all(lines) };
        let written = match &outcome {
            Ok(()) => lines.len(),
            Err((written, _)) => *written,
        };
        let (done, left) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        WRITTEN.fetch_add(count(done), Relaxed);
        let Err((_, error)) = outcome else { return };
        self.torn |= !done.is_empty() && !done.ends_with(b"\n");
        LOST.fetch_add(count(left), Relaxed);
        self.report(&error);
    }

    /// How far it came, and why not farther.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "no decision hangs on it: it only spaces messages out")]
    fn report(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.reported.is_none_or(|last| now.duration_since(last) >= REPORT_EVERY) {
            self.reported = Some(now);
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

    /// A disk with so much room left.
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
    fn a_full_disk_tears_one_line_and_no_other() {
        let mut sink = Sink::new(Disk { written: Vec::new(), room: 6 });
        sink.write(b"one\ntwo\nthree\n");
        assert!(sink.torn);
        sink.write(b"four\n");
        sink.out.room = 100;
        sink.write(b"five\n");
        assert_eq!(sink.out.written, b"one\ntw\nfive\n");
        assert!(!sink.torn);
    }
}
