//! The health of a server, derived from its probes.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of consecutive probes that change the status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thresholds {
    pub(crate) healthy_after: NonZeroU32,
    pub(crate) unhealthy_after: NonZeroU32,
}

/// The health of a server. A server that was not probed yet is healthy: a gateway that starts must not refuse
/// requests that the server would answer.
#[derive(Debug, Default)]
pub(crate) struct HealthStatus {
    unhealthy: AtomicBool,
    /// Consecutive probes that contradict the current status.
    contradicting: Mutex<u32>,
}

/// A change of the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.unhealthy.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn set_unhealthy(&self) {
        self.unhealthy.store(true, Ordering::Relaxed);
    }

    /// Records the outcome of a probe. Returns the change of the status, if any.
    pub(crate) fn record(&self, passed: bool, thresholds: Thresholds) -> Option<Change> {
        let mut contradicting = self.contradicting.lock().unwrap_or_else(PoisonError::into_inner);
        if passed != self.is_unhealthy() {
            *contradicting = 0;
            return None;
        }
        *contradicting = contradicting.saturating_add(1);
        let needed = if passed { thresholds.healthy_after } else { thresholds.unhealthy_after };
        if *contradicting < needed.get() {
            return None;
        }
        *contradicting = 0;
        self.unhealthy.store(!passed, Ordering::Relaxed);
        Some(if passed { Change::Healthy } else { Change::Unhealthy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status after each probe (`+` passed, `-` failed): `h` or `u`, in upper case where it
    /// changed.
    fn run(probes: &str, healthy_after: u32, unhealthy_after: u32) -> String {
        let thresholds = Thresholds {
            healthy_after: NonZeroU32::new(healthy_after).unwrap(),
            unhealthy_after: NonZeroU32::new(unhealthy_after).unwrap(),
        };
        let status = HealthStatus::default();
        assert!(!status.is_unhealthy(), "healthy before the first probe");
        let after = |probe| match (status.record(probe == '+', thresholds), status.is_unhealthy()) {
            (Some(Change::Healthy), false) => 'H',
            (Some(Change::Unhealthy), true) => 'U',
            (None, true) => 'u',
            (None, false) => 'h',
            (change, unhealthy) => panic!("{change:?} but unhealthy is {unhealthy}"),
        };
        probes.chars().map(after).collect()
    }

    #[test]
    fn the_status_changes_after_enough_consecutive_probes() {
        for (probes, healthy_after, unhealthy_after, expected) in [
            ("++++", 1, 3, "hhhh"),
            ("---+", 1, 3, "hhUH"),
            ("--+---", 1, 3, "hhhhhU"),
            ("---++-+++", 3, 3, "hhUuuuuuH"),
            ("-+-+", 1, 1, "UHUH"),
            ("-----", 2, 2, "hUuuu"),
        ] {
            assert_eq!(run(probes, healthy_after, unhealthy_after), expected, "{probes}");
        }
    }
}
