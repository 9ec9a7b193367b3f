//! The monotonic clock on Linux: `CLOCK_BOOTTIME`, at the cost of `CLOCK_MONOTONIC_COARSE`.
//!
//! `CLOCK_MONOTONIC` stops while the machine is suspended, and a token would outlive its lifetime by that
//! time. `CLOCK_BOOTTIME` does not stop, but a reading costs four to five times as much as one of the coarse
//! clock (57 to 60 ns against 11 to 14 ns), and every request needs one. So each thread reads
//! `CLOCK_BOOTTIME` once per step of the coarse clock and keeps the value until the next step. A suspension
//! cannot hide between two readings of one step: the kernel advances the coarse clock when it suspends, after
//! it has stopped all processes.

use std::cell::Cell;

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the machine was started.
pub(super) type Reading = u64;

thread_local! {
    static LAST: Cell<Step> = const { Cell::new(Step { coarse: None, boottime: 0 }) };
}

/// What a thread knows about the present step of the coarse clock.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The coarse clock, in seconds and nanoseconds. `None` before the first reading.
    coarse: Option<(i64, i64)>,
    /// `CLOCK_BOOTTIME` within this step, in milliseconds.
    boottime: Reading,
}

impl Step {
    /// Returns the step at `coarse`, and reads `CLOCK_BOOTTIME` if that is another one. The time never goes
    /// back.
    fn at(self, coarse: (i64, i64), boottime: impl FnOnce() -> Reading) -> Self {
        if self.coarse == Some(coarse) {
            return self;
        }
        Self { coarse: Some(coarse), boottime: boottime().max(self.boottime) }
    }
}

pub(super) fn read() -> Reading {
    let coarse = clock_gettime(ClockId::MonotonicCoarse);
    let step = LAST.get();
    let now = step.at((coarse.tv_sec, coarse.tv_nsec), boottime);
    if now.coarse != step.coarse {
        LAST.set(now);
    }
    now.boottime
}

#[cold]
fn boottime() -> Reading {
    let now = clock_gettime(ClockId::Boottime);
    // Neither is ever negative on this clock.
    now.tv_sec.unsigned_abs() * 1_000 + now.tv_nsec.unsigned_abs() / 1_000_000
}

pub(super) fn millis_since(origin: Reading) -> u64 {
    read().saturating_sub(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_is_read_once_per_step_and_counts_a_suspension() {
        let start = Step { coarse: None, boottime: 0 };
        let first = start.at((10, 0), || 10_003);
        assert_eq!(first.boottime, 10_003);
        let same = first.at((10, 0), || panic!("the step was read already"));
        assert_eq!(same.boottime, 10_003);
        // An hour of suspension between two steps of the clock that does not count it.
        let resumed = same.at((10, 4_000_000), || 3_610_007);
        assert_eq!(resumed.boottime, 3_610_007);
        assert_eq!(resumed.at((10, 8_000_000), || 3_610_006).boottime, 3_610_007, "it never goes back");
    }

    #[test]
    fn a_reading_is_the_time_since_the_machine_started() {
        let before = boottime();
        let read = read();
        let after = boottime();
        // The value may be one step old, which is at most 10 ms.
        assert!((before.saturating_sub(20)..=after).contains(&read), "{before} {read} {after}");
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((uptime - read as f64 / 1_000.0).abs() < 60.0, "{uptime} {read}: /proc/uptime is this clock");
    }
}
