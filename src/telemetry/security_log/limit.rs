//! Limits the number of events of one kind that are written in a second.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::event::Kind;

/// The limits of all kinds.
pub(super) static LIMITS: [Limit; Kind::ALL.len()] = [const { Limit::new() }; Kind::ALL.len()];

/// Counts the events of one kind.
pub(super) struct Limit {
    second: AtomicU64,
    written: AtomicU64,
    /// The number of events that were left out and are not reported yet.
    left_out: AtomicU64,
    left_out_in_all: AtomicU64,
}

/// Whether an event is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written. Contains the number of events before it that were left out and are not reported yet.
    Write { left_out: u64 },
    /// It is left out.
    LeaveOut,
}

impl Limit {
    pub(super) const fn new() -> Self {
        Self {
            second: AtomicU64::new(0),
            written: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            left_out_in_all: AtomicU64::new(0),
        }
    }

    /// Counts an event of this second. Threads that call this at the same moment may write a line too many or
    /// too few.
    pub(super) fn check(&self, second: u64, per_second: u64) -> Verdict {
        if self.second.swap(second, Relaxed) != second {
            self.written.store(0, Relaxed);
        }
        if self.written.fetch_add(1, Relaxed) < per_second {
            return Verdict::Write { left_out: self.left_out.swap(0, Relaxed) };
        }
        self.left_out.fetch_add(1, Relaxed);
        self.left_out_in_all.fetch_add(1, Relaxed);
        Verdict::LeaveOut
    }

    /// Counts events that could not be written after all. `count` includes those whose report is lost with
    /// them.
    pub(super) fn leave_out(&self, count: u64) {
        self.left_out.fetch_add(count, Relaxed);
        self.left_out_in_all.fetch_add(1, Relaxed);
    }

    /// Takes the number of events that were left out and not reported, once their second is over.
    pub(super) fn take_left_out(&self, second: u64) -> u64 {
        if self.second.load(Relaxed) == second { 0 } else { self.left_out.swap(0, Relaxed) }
    }

    /// Returns the number of events that were left out since the start.
    pub(super) fn left_out_in_all(&self) -> u64 {
        self.left_out_in_all.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_the_rate_and_what_is_left_out_is_reported_once() {
        let limit = Limit::new();
        let write = |left_out| Verdict::Write { left_out };
        assert_eq!((limit.check(7, 2), limit.check(7, 2)), (write(0), write(0)));
        for _ in 0..5 {
            assert_eq!(limit.check(7, 2), Verdict::LeaveOut);
        }
        assert_eq!(limit.take_left_out(7), 0, "the second is not over");
        assert_eq!(limit.check(8, 2), write(5));
        assert_eq!((limit.check(8, 2), limit.check(8, 2)), (write(0), Verdict::LeaveOut));
        assert_eq!((limit.take_left_out(9), limit.take_left_out(9)), (1, 0));
        limit.leave_out(1);
        assert_eq!(limit.check(9, 2), write(1));
        assert_eq!(limit.left_out_in_all(), 7);
    }
}
