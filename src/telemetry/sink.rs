//! An output of log lines that may fail.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

/// The interval between two reports about a failing output.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// The delay before the next attempt to write to a full non-blocking output.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The numbers of lines that were written and lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    /// The number of lines that were written whole.
    pub(super) lines: u64,
    /// The number of lines that were lost because the output failed.
    pub(super) lost: u64,
}

/// An output with the state of its failures.
pub(super) struct Sink<W> {
    name: &'static str,
    out: W,
    /// Whether the last write ended in the middle of a line.
    ends_mid_line: bool,
    last_reported: Option<Instant>,
}

impl<W: Write> Sink<W> {
    /// Writes to this output. Messages call it by its name.
    pub(super) fn new(out: W, name: &'static str) -> Self {
        Self { name, out, ends_mid_line: false, last_reported: None }
    }

    /// Writes the lines, or as many as the output accepts.
    pub(super) fn write(&mut self, lines: &[u8]) -> Written {
        if lines.is_empty() {
            return Written::default();
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
        let mut result = Written { lines: count(done), lost: 0 };
        let Err((_, error)) = outcome else { return result };
        self.ends_mid_line |= !done.is_empty() && !done.ends_with(b"\n");
        result.lost = count(left);
        self.report(&error);
        result
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
            log::error!("the {} cannot be written, lines are lost: {error}", self.name);
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
        let mut sink = Sink::new(Disk { written: Vec::new(), room: 6 }, "log");
        assert_eq!(sink.write(b"one\ntwo\nthree\n"), Written { lines: 1, lost: 2 });
        assert!(sink.ends_mid_line);
        sink.write(b"four\n");
        sink.out.room = 100;
        sink.write(b"five\n");
        assert_eq!(sink.out.written, b"one\ntw\nfive\n");
        assert!(!sink.ends_mid_line);
    }
}
