//! The log of the process, on standard error.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::{Clock as _, Millis, SystemClock};

/// The period over which the lines of libraries are counted.
const PERIOD: Duration = Duration::from_secs(10);
/// The number of lines of libraries that are written in one period.
const MOST: u64 = 10;

/// Starts the log. Messages of the gateway are written at the level of `RUST_LOG` (`info` if unset). Those of
/// libraries are written only if they are warnings or errors, because some libraries log whole headers below
/// that. Their number is limited, because clients can cause some, such as those about TLS alerts and
/// renegotiation attempts.
pub(super) fn start_log() {
    let level = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    let lines = env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("tollgate", level.unwrap_or(log::LevelFilter::Info))
        .build();
    let most = lines.filter();
    let log = Log { lines, clock: SystemClock::new(), libraries: LineLimit::default() };
    if log::set_boxed_logger(Box::new(log)).is_ok() {
        log::set_max_level(most);
    }
}

struct Log {
    lines: env_logger::Logger,
    clock: SystemClock,
    libraries: LineLimit,
}

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        let ours = record.target().split("::").next() == Some("tollgate");
        if !self.lines.matches(record) {
            return;
        }
        if ours {
            return self.lines.log(record);
        }
        match self.libraries.allow(self.clock.now()) {
            None => {}
            Some(0) => self.lines.log(record),
            Some(left_out) => {
                self.lines.log(record);
                log::warn!("{left_out} earlier log lines of libraries were left out");
            }
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

/// Allows [`MOST`] lines per [`PERIOD`].
#[derive(Default)]
struct LineLimit {
    /// When the current period began.
    since: AtomicU64,
    /// The lines in this period, written or not.
    lines: AtomicU64,
}

impl LineLimit {
    /// Returns `None` if the line is left out. Otherwise returns how many lines were left out before it and
    /// not reported yet. Threads that call this at the same moment may write a line too many or too few.
    fn allow(&self, now: Millis) -> Option<u64> {
        let since = Millis::new(self.since.load(Relaxed));
        if now.since(since) >= PERIOD {
            self.since.store(now.as_u64(), Relaxed);
            return Some(self.lines.swap(1, Relaxed).saturating_sub(MOST));
        }
        (self.lines.fetch_add(1, Relaxed) < MOST).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_limited_and_those_left_out_are_counted() {
        let limit = LineLimit::default();
        let at = |seconds: u64| Millis::new(100_000 + seconds * 1000);
        assert_eq!(limit.allow(at(0)), Some(0));
        let written = (1..1_000).filter(|_| limit.allow(at(9)).is_some()).count() as u64;
        assert_eq!(written, MOST - 1);
        assert_eq!(limit.allow(at(10)), Some(1_000 - MOST));
        assert_eq!(limit.allow(at(30)), Some(0), "none was left out in the last period");
    }
}
