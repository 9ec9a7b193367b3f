//! Counting failed client authentications, in bounded memory.
//!
//! Only failures that cost a hash are refused after too many: a secret can be guessed, and each try takes a
//! core for tens of milliseconds. They are counted by (client id, address) pair and by address, never by
//! client id alone: otherwise an attacker could lock a client out by failing in its name. Requests without
//! credentials, with unknown certificates or with wrong signatures have nothing to guess and are not refused
//! for their number; wrong signatures are counted apart, so that a network that sends many of them gets its
//! signatures verified at a low priority.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Millis;

/// The number of failed authentications after which more are refused.
///
/// Failures with a client secret count, because each costs a hash and may be a guess. They count for the pair
/// of client id and address, and ten times as many are allowed of one address (IPv6: of its /64). A secret
/// that has been verified once is remembered and never refused. Requests without credentials, wrong
/// certificates and wrong signatures never count.
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

    fn failures_of_an_address(self) -> u32 {
        self.failures.saturating_mul(ADDRESS_FACTOR)
    }
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The limit of an address, as a multiple of the limit of a pair. Several clients may share an address.
const ADDRESS_FACTOR: u32 = 10;
/// The largest number of counters of one kind. At the limit, the oldest windows are dropped.
const MAX_COUNTERS: usize = 65_536;

#[derive(Clone, Copy)]
struct Counter {
    since: Millis,
    failures: u32,
}

/// Counters by 64-bit hashes under a random key: their size does not depend on the client id.
#[derive(Default)]
struct Counters(Mutex<HashMap<u64, Counter>>);

impl Counters {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Counter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The failure counters.
#[derive(Default)]
pub(crate) struct Throttle {
    secrets: Counters,
    /// Apart, because wrong signatures are cheap to send: they must not push the failures of secrets out.
    #[cfg(feature = "jose")]
    signatures: Counters,
    hasher: RandomState,
}

/// An attempt that was admitted and counts as failed until it is known to have succeeded.
pub(crate) struct Attempt {
    pair: u64,
    address: u64,
}

impl Throttle {
    /// Admits an attempt with a secret, or returns how long to wait. The attempt counts as failed until
    /// [`Throttle::forgive`] is called, so that many at once cannot get in before the first has failed.
    pub(crate) fn admit(
        &self,
        policy: ThrottlePolicy,
        client_id: &str,
        address: IpAddr,
        now: Millis,
    ) -> Result<Attempt, Duration> {
        let network = network(address);
        let (pair, address) = (self.hasher.hash_one((client_id, network)), self.hasher.hash_one(network));
        let mut counters = self.secrets.lock();
        let limits = [(pair, policy.failures), (address, policy.failures_of_an_address())];
        for (key, limit) in limits {
            if let Some(over) = reached(&counters, policy, key, limit, now) {
                return Err(over.since(now));
            }
        }
        for (key, _) in limits {
            count(&mut counters, policy, key, now);
        }
        Ok(Attempt { pair, address })
    }

    /// Admits a request that counts whether it succeeds or not: for a name, and ten times as many for an
    /// address.
    #[cfg(feature = "gateway")]
    pub(crate) fn admit_one(
        &self,
        policy: ThrottlePolicy,
        name: &str,
        address: IpAddr,
        now: Millis,
    ) -> Result<(), Duration> {
        let keys = [self.hasher.hash_one(("name", name)), self.hasher.hash_one(network(address))];
        let limits = [policy.failures, policy.failures_of_an_address()];
        let mut counters = self.secrets.lock();
        for (key, limit) in keys.into_iter().zip(limits) {
            if let Some(over) = reached(&counters, policy, key, limit, now) {
                return Err(over.since(now));
            }
        }
        keys.into_iter().for_each(|key| count(&mut counters, policy, key, now));
        Ok(())
    }

    /// Takes an attempt back that succeeded or was never made. Success also forgets the pair's failures.
    pub(crate) fn forgive(&self, admitted: &Attempt, was_good: bool) {
        let mut counters = self.secrets.lock();
        for key in [admitted.pair, admitted.address] {
            if let Some(counter) = counters.get_mut(&key) {
                counter.failures = counter.failures.saturating_sub(1);
            }
        }
        if was_good {
            counters.remove(&admitted.pair);
        }
    }

    /// Counts a signature that was refused.
    #[cfg(feature = "jose")]
    pub(crate) fn note_wrong_signature(&self, policy: ThrottlePolicy, address: IpAddr, now: Millis) {
        let key = self.hasher.hash_one(network(address));
        count(&mut self.signatures.lock(), policy, key, now);
    }

    /// Returns whether so many signatures from this address were refused that the next must not take time
    /// from others.
    #[cfg(feature = "jose")]
    pub(crate) fn sends_wrong_signatures(
        &self,
        policy: ThrottlePolicy,
        address: IpAddr,
        now: Millis,
    ) -> bool {
        let key = self.hasher.hash_one(network(address));
        reached(&self.signatures.lock(), policy, key, policy.failures_of_an_address(), now).is_some()
    }
}

/// Returns when the window of a counter ends, if the counter has reached its limit.
fn reached(
    counters: &HashMap<u64, Counter>,
    policy: ThrottlePolicy,
    key: u64,
    limit: u32,
    now: Millis,
) -> Option<Millis> {
    let counter = counters.get(&key)?;
    let over = counter.since.after(policy.per);
    (now < over && counter.failures >= limit).then_some(over)
}

fn count(counters: &mut HashMap<u64, Counter>, policy: ThrottlePolicy, key: u64, now: Millis) {
    if counters.len() >= MAX_COUNTERS && !counters.contains_key(&key) {
        make_room(counters, policy, now);
    }
    let counter = counters.entry(key).or_insert(Counter { since: now, failures: 0 });
    if now >= counter.since.after(policy.per) {
        *counter = Counter { since: now, failures: 0 };
    }
    counter.failures = counter.failures.saturating_add(1);
}

fn make_room(counters: &mut HashMap<u64, Counter>, policy: ThrottlePolicy, now: Millis) {
    counters.retain(|_, counter| now < counter.since.after(policy.per));
    if counters.len() >= MAX_COUNTERS {
        // The map is still full, so the older half of the windows ends early.
        let mut starts: Vec<Millis> = counters.values().map(|counter| counter.since).collect();
        let middle = starts.len() / 2;
        let (_, median, _) = starts.select_nth_unstable(middle);
        let median = *median;
        counters.retain(|_, counter| counter.since > median);
    }
}

/// Returns the network that an address is counted as. An IPv6 host usually owns its whole /64; an IPv4
/// address mapped into IPv6 is still that address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
        assert!(throttle.secrets.lock().len() <= MAX_COUNTERS);
    }

    #[cfg(feature = "jose")]
    #[test]
    fn wrong_signatures_count_apart_from_secrets() {
        let throttle = Throttle::default();
        let (forger, now) = ("10.0.0.1".parse().unwrap(), Millis::new(0));
        for _ in 0..30 {
            assert!(!throttle.sends_wrong_signatures(POLICY, forger, now));
            throttle.note_wrong_signature(POLICY, forger, now);
        }
        assert!(throttle.sends_wrong_signatures(POLICY, forger, now));
        assert!(!throttle.sends_wrong_signatures(POLICY, "10.0.0.2".parse().unwrap(), now));
        assert!(fail(&throttle, "a", "10.0.0.1", 0).is_ok(), "a secret from there is still verified");
        assert!(!throttle.sends_wrong_signatures(POLICY, forger, Millis::new(60_000)));
    }
}
