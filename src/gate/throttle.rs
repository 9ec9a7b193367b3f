//! Counting failed client authentications, in bounded memory.
//!
//! Failures are counted by (client id, address) pair and by address, never by client id alone: otherwise an attacker
//! could lock a client out by failing in its name.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;

/// The number of failed authentications after which more are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottlePolicy {
    /// The failures allowed of one (client id, address) pair. One address may have ten times as many.
    pub failures: u32,
    /// The period over which failures are counted, beginning with the first.
    pub per: Duration,
}

impl ThrottlePolicy {
    /// Ten failures a minute.
    pub(crate) const DEFAULT: Self = Self { failures: 10, per: Duration::from_secs(60) };
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How many times the failures of one pair an address may have, because several clients may share it.
const ADDRESS_FACTOR: u32 = 10;
/// The largest number of counters. Each failure costs a hash, so filling them takes long. At the limit, the oldest
/// windows are dropped.
const MAX_COUNTERS: usize = 65_536;

#[derive(Clone, Copy)]
struct Counter {
    since: Millis,
    failures: u32,
}

/// The failure counters.
#[derive(Default)]
pub(crate) struct Throttle {
    // Keys are 64-bit hashes under a random key: their size does not depend on the client id.
    counters: Mutex<HashMap<u64, Counter>>,
    hasher: RandomState,
}

/// An attempt that was admitted and counts as failed until it is known to have succeeded.
pub(crate) struct Attempt {
    pair: u64,
    address: u64,
}

impl Throttle {
    /// Admits an attempt, or returns how long to wait. The attempt counts as failed until [`Throttle::forgive`] is
    /// called, so that many at once cannot get in before the first has failed.
    pub(crate) fn admit(
        &self,
        policy: ThrottlePolicy,
        client_id: &str,
        address: IpAddr,
        now: Millis,
    ) -> Result<Attempt, Duration> {
        let network = network(address);
        let (pair, address) = (self.hasher.hash_one((client_id, network)), self.hasher.hash_one(network));
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = [(pair, policy.failures), (address, policy.failures.saturating_mul(ADDRESS_FACTOR))];
        for (key, limit) in limits {
            if let Some(counter) = counters.get(&key) {
                let over = counter.since.after(policy.per);
                if now < over && counter.failures >= limit {
                    return Err(over.since(now));
                }
            }
        }
        if counters.len() + 2 > MAX_COUNTERS {
            make_room(&mut counters, policy, now);
        }
        for (key, _) in limits {
            let counter = counters.entry(key).or_insert(Counter { since: now, failures: 0 });
            if now >= counter.since.after(policy.per) {
                *counter = Counter { since: now, failures: 0 };
            }
            counter.failures = counter.failures.saturating_add(1);
        }
        Ok(Attempt { pair, address })
    }

    /// Takes an attempt back that succeeded or was never made. Success also forgets the pair's failures.
    pub(crate) fn forgive(&self, admitted: &Attempt, was_good: bool) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [admitted.pair, admitted.address] {
            if let Some(counter) = counters.get_mut(&key) {
                counter.failures = counter.failures.saturating_sub(1);
            }
        }
        if was_good {
            counters.remove(&admitted.pair);
        }
    }
}

fn make_room(counters: &mut HashMap<u64, Counter>, policy: ThrottlePolicy, now: Millis) {
    counters.retain(|_, counter| now < counter.since.after(policy.per));
    if counters.len() + 2 > MAX_COUNTERS {
        // It is still full, so the older half of the windows ends early.
        let mut starts: Vec<Millis> = counters.values().map(|counter| counter.since).collect();
        let middle = starts.len() / 2;
        let (_, median, _) = starts.select_nth_unstable(middle);
        let median = *median;
        counters.retain(|_, counter| counter.since > median);
    }
}

/// Returns the network that an address is counted as. An IPv6 host usually owns its whole /64; an IPv4 address mapped
/// into IPv6 is still that address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ThrottlePolicy = ThrottlePolicy { failures: 3, per: Duration::from_secs(60) };

    fn fail(throttle: &Throttle, client: &str, address: &str, now: u64) -> Result<(), Duration> {
        throttle.admit(POLICY, client, address.parse().unwrap(), Millis::new(now)).map(|_| ())
    }

    #[test]
    fn a_pair_waits_for_the_rest_of_its_window_and_no_other_pair_does() {
        let throttle = Throttle::default();
        for now in 0..3 {
            assert!(fail(&throttle, "a", "10.0.0.1", now * 1000).is_ok());
        }
        assert_eq!(fail(&throttle, "a", "10.0.0.1", 10_000), Err(Duration::from_secs(50)));
        assert!(fail(&throttle, "a", "10.0.0.2", 10_000).is_ok(), "the client itself is never locked out");
        assert!(fail(&throttle, "b", "10.0.0.1", 10_000).is_ok());
        assert!(fail(&throttle, "a", "10.0.0.1", 60_000).is_ok());
    }

    #[test]
    fn an_address_may_fail_ten_times_as_often() {
        let throttle = Throttle::default();
        for n in 0..30 {
            assert!(fail(&throttle, &format!("client-{n}"), "2001:db8::1", 0).is_ok());
        }
        assert!(fail(&throttle, "x", "2001:db8::2", 0).is_err(), "the same /64");
        assert!(fail(&throttle, "x", "2001:db8:0:1::1", 0).is_ok());
        assert!(fail(&throttle, "y", "::ffff:10.0.0.1", 0).is_ok());
    }

    #[test]
    fn successful_attempts_do_not_count() {
        let throttle = Throttle::default();
        for _ in 0..50 {
            let admitted = throttle.admit(POLICY, "a", "10.0.0.1".parse().unwrap(), Millis::new(0)).unwrap();
            throttle.forgive(&admitted, true);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..100_000_u32 {
            let address = IpAddr::V4(n.into());
            let _ = throttle.admit(POLICY, "a", address, Millis::new(u64::from(n) / 100));
        }
        assert!(throttle.counters.lock().unwrap().len() <= MAX_COUNTERS);
    }
}
