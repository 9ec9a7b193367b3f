//! The schedule of requests at a fixed rate, and a timer that is precise enough for it.
//!
//! A request is due whether or not the one before it has a response. A slow gateway must not slow down the
//! load, because its slow responses would then hide the requests that should have been sent in the meantime
//! (coordinated omission).

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// The schedule of one of several threads, which sends every `step`-th request, starting with `offset`.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    start: Instant,
    seconds_between: f64,
    offset: u64,
    step: u64,
    sent: u64,
    due: u64,
}

impl Schedule {
    pub(super) fn new(start: Instant, rate: f64, offset: usize, step: usize) -> Self {
        Self { start, seconds_between: 1.0 / rate, offset: offset as u64, step: step as u64, sent: 0, due: 0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "exact for more requests than a run can have")]
    fn due_at(&self, number: u64) -> Instant {
        let number = (self.offset + number * self.step) as f64;
        self.start + Duration::from_secs_f64(number * self.seconds_between)
    }

    /// Returns how many requests have become due since the last call.
    pub(super) fn catch_up(&mut self, now: Instant) -> u64 {
        let before = self.due;
        while self.due_at(self.due) <= now {
            self.due += 1;
        }
        self.due - before
    }

    /// Returns when the next request is due.
    pub(super) fn next(&self) -> Instant {
        self.due_at(self.due)
    }

    /// Takes the oldest request that is due and not sent. Returns when it was due.
    pub(super) fn take(&mut self) -> Option<Instant> {
        (self.sent < self.due).then(|| {
            self.sent += 1;
            self.due_at(self.sent - 1)
        })
    }
}

/// A timer that is precise to about ten microseconds. Tokio's own timer counts milliseconds.
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    #[expect(
        deprecated,
        reason = "deprecated for types whose descriptor may change or close; that of an OwnedFd cannot, and the replacement is unsafe"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    pub(super) async fn sleep(&self, span: Duration) -> io::Result<()> {
        // Zero would disarm the timer.
        let span = span.max(Duration::from_nanos(1));
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: span.subsec_nanos().into(),
            },
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            let fired = ready.try_io(|timer| {
                let mut count = [0; 8];
                Ok(rustix::io::read(timer.get_ref(), &mut count)?)
            });
            match fired {
                Ok(outcome) => return outcome.map(|_| ()),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_keep_the_rate_without_waiting_for_responses() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut threads: Vec<Schedule> = (0..3).map(|n| Schedule::new(start, 100.0, n, 3)).collect();
        let mut due = Vec::new();
        for schedule in &mut threads {
            assert_eq!(schedule.take(), None, "nothing is due before the first look at the clock");
            let caught_up = schedule.catch_up(at(95));
            assert_eq!(schedule.catch_up(at(95)), 0);
            let taken: Vec<Instant> = std::iter::from_fn(|| schedule.take()).collect();
            assert_eq!(taken.len() as u64, caught_up);
            assert!(schedule.next() > at(95));
            due.extend(taken);
        }
        due.sort();
        // Each keeps its due time, although all were taken at once, and late.
        let expected: Vec<Instant> = (0..10).map(|n| at(n * 10)).collect();
        for (due, expected) in due.iter().zip(&expected) {
            let apart = if due > expected { *due - *expected } else { *expected - *due };
            assert!(apart < Duration::from_micros(1), "{due:?} {expected:?}");
        }
        assert_eq!(due.len(), expected.len());
    }
}
