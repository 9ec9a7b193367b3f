//! Counts orders and failures, and computes when the next order is allowed. The counts are kept in a file, so
//! that a gateway that restarts repeatedly does not exhaust the rate limits of the authority.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sorting::sort_by;

const HOUR: u64 = 3_600;
/// The longest wait after failures.
const LONGEST: u64 = 6 * HOUR;
/// The longest wait that the gateway accepts from an authority.
const LONGEST_OF_AUTHORITY: u64 = 24 * HOUR;

/// The orders of the last hour, and the failures of each domain. Moments are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    #[serde(default)]
    orders: Vec<u64>,
    #[serde(default)]
    failures: BTreeMap<String, Failures>,
}

/// The failures of a domain since its last certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Failures {
    count: u32,
    /// The moment of the next attempt.
    next: u64,
    /// The moment of the last failure.
    at: u64,
}

impl Attempts {
    /// Returns the moment from which a certificate for the domain can be ordered.
    pub(crate) fn allowed_from(&self, domain: &str, most_per_hour: u32, now: u64) -> u64 {
        self.after_failures(domain, now).max(self.within_limit(most_per_hour, now))
    }

    /// Returns the moment from which the limit of orders allows another one.
    pub(crate) fn within_limit(&self, most_per_hour: u32, now: u64) -> u64 {
        let most = usize::try_from(most_per_hour).unwrap_or(usize::MAX);
        let mut recent: Vec<u64> = self.recent(now).collect();
        sort_by(&mut recent, |one, other| other.cmp(one));
        // The next order is allowed when this order is an hour old.
        recent.get(most.saturating_sub(1)).map_or(0, |order| order + HOUR)
    }

    fn after_failures(&self, domain: &str, now: u64) -> u64 {
        self.failures.get(domain).map_or(0, |failures| {
            // A wall clock that was set back must not stop orders for longer than the longest wait.
            if failures.at > now { 0 } else { failures.next }
        })
    }

    fn recent(&self, now: u64) -> impl Iterator<Item = u64> {
        self.orders.iter().copied().filter(move |order| *order <= now && order + HOUR > now)
    }

    /// Returns the number of failures since the last certificate of the domain.
    pub(crate) fn failures(&self, domain: &str) -> u32 {
        self.failures.get(domain).map_or(0, |failures| failures.count)
    }

    /// Counts an order.
    pub(crate) fn begin(&mut self, now: u64) {
        self.orders = self.recent(now).chain([now]).collect();
    }

    /// Counts a failure. The wait begins with `first` and doubles with each failure. Its jitter of up to a
    /// quarter keeps gateways that failed together from trying together. `asked` is the wait that the
    /// authority has asked for.
    pub(crate) fn failed(
        &mut self,
        domain: &str,
        first: Duration,
        asked: Option<u64>,
        random: u16,
        now: u64,
    ) {
        let count = self.failures(domain).saturating_add(1);
        let doubled = first.as_secs().max(1).saturating_mul(1 << (count - 1).min(20)).min(LONGEST);
        let wait = doubled + doubled * u64::from(random) / (4 * u64::from(u16::MAX));
        let wait = wait.max(asked.unwrap_or(0).min(LONGEST_OF_AUTHORITY));
        self.failures.insert(domain.to_owned(), Failures { count, next: now + wait, at: now });
    }

    /// Forgets the failures of a domain, and those of domains that are not in use.
    pub(crate) fn succeeded(&mut self, domain: &str, domains: &[String]) {
        self.failures.retain(|failed, _| failed != domain && domains.contains(failed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn waits_double_up_to_six_hours_and_a_success_ends_them() {
        let mut attempts = Attempts::default();
        let mut now = 1_000_000;
        for expected in [60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, LONGEST, LONGEST] {
            attempts.failed("a.test", MINUTE, None, 0, now);
            assert_eq!(attempts.allowed_from("a.test", 30, now) - now, expected);
            assert_eq!(attempts.allowed_from("b.test", 30, now), 0, "another domain does not wait");
            now += expected;
        }
        attempts.failed("a.test", MINUTE, None, u16::MAX, now);
        assert_eq!(attempts.allowed_from("a.test", 30, now) - now, LONGEST + LONGEST / 4);
        attempts.succeeded("a.test", &[]);
        assert_eq!((attempts.failures("a.test"), attempts.allowed_from("a.test", 30, now)), (0, 0));
    }

    #[test]
    fn the_authority_can_ask_for_a_longer_wait_of_at_most_a_day() {
        for (asked, wait) in [(5, 60), (600, 600), (10_000_000, LONGEST_OF_AUTHORITY)] {
            let mut attempts = Attempts::default();
            attempts.failed("a.test", MINUTE, Some(asked), 0, 7);
            assert_eq!(attempts.allowed_from("a.test", 30, 7), 7 + wait);
        }
    }

    #[test]
    fn an_hour_has_at_most_its_orders_and_a_clock_that_was_set_back_stops_none() {
        let mut attempts = Attempts::default();
        for order in 0..3 {
            assert!(attempts.allowed_from("a.test", 3, 10_000 + order) <= 10_000 + order);
            attempts.begin(10_000 + order);
        }
        assert_eq!(attempts.allowed_from("a.test", 3, 10_003), 10_000 + HOUR);
        assert_eq!(attempts.allowed_from("a.test", 4, 10_003), 0);
        assert_eq!(attempts.allowed_from("a.test", 3, 10_000 + HOUR), 0, "one is an hour old");
        assert_eq!(attempts.allowed_from("a.test", 3, 500), 0);
        attempts.failed("a.test", MINUTE, None, 0, 10_000);
        assert_eq!(attempts.after_failures("a.test", 500), 0);
        attempts.begin(100_000);
        assert_eq!(attempts.orders, [100_000], "old orders are forgotten");
    }
}
