//! From single probes to whether a server is healthy.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many probes in a row it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thresholds {
    pub(crate) healthy_after: NonZeroU32,
    pub(crate) unhealthy_after: NonZeroU32,
}

/// What the probes of a server say so far. A server that nobody has probed yet is good: a gateway that starts must not
/// refuse what would be answered.
#[derive(Debug, Default)]
pub(crate) struct HealthStatus {
    bad: AtomicBool,
    /// Probes in a row that say otherwise.
    against: Mutex<u32>,
}

/// A status that was changed by a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    /// Whether the server is unhealthy.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.bad.load(Ordering::Relaxed)
    }

    /// As after enough bad probes.
    #[cfg(test)]
    pub(crate) fn set_unhealthy(&self) {
        self.bad.store(true, Ordering::Relaxed);
    }

    /// Takes up the outcome of a probe.
    pub(crate) fn record(&self, good: bool, thresholds: Thresholds) -> Option<Change> {
        let mut against = self.against.lock().unwrap_or_else(PoisonError::into_inner);
        if good != self.is_unhealthy() {
            *against = 0;
            return None;
        }
        *against = against.saturating_add(1);
        let needed = if good { thresholds.healthy_after } else { thresholds.unhealthy_after };
        if *against < needed.get() {
            return None;
        }
        *against = 0;
        self.bad.store(!good, Ordering::Relaxed);
        Some(if good { Change::Healthy } else { Change::Unhealthy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status after each probe: `+` good, `-` bad, and `H` or `U` where it changed.
    fn run(probes: &str, healthy_after: u32, unhealthy_after: u32) -> String {
        let thresholds = Thresholds {
            healthy_after: NonZeroU32::new(healthy_after).unwrap(),
            unhealthy_after: NonZeroU32::new(unhealthy_after).unwrap(),
        };
        let status = HealthStatus::default();
        assert!(!status.is_unhealthy(), "good until proven otherwise");
        let after = |probe| match (status.record(probe == '+', thresholds), status.is_unhealthy()) {
            (Some(Change::Healthy), false) => 'H',
            (Some(Change::Unhealthy), true) => 'U',
            (None, bad) => {
                if bad {
                    'u'
                } else {
                    'h'
                }
            }
            (change, bad) => panic!("{change:?} and bad: {bad}"),
        };
        probes.chars().map(after).collect()
    }

    #[test]
    fn it_takes_so_many_in_a_row() {
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
