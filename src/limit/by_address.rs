//! Rate limits by client address, in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use governor::RateLimiter;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use http::Response;
use http_body_util::Full;

use super::rate::{Owner, quota, too_many};
use crate::config::Rate;
use crate::gate::network;

const SHARDS: usize = 16;
/// The most networks of which a shard keeps the state: 16,384 in all, in less than a megabyte.
const MAX_IN_SHARD: usize = 1024;

/// A token bucket for each address. The addresses of an IPv6 /64 share one.
#[derive(Debug)]
pub(crate) struct AddressLimiter<C: Clock = MonotonicClock> {
    pub(super) rate: Rate,
    limiter: RateLimiter<IpAddr, Buckets, C, NoOpMiddleware<C::Instant>>,
}

impl AddressLimiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with_clock(rate, MonotonicClock)
    }
}

impl<C: Clock> AddressLimiter<C> {
    fn with_clock(rate: Rate, clock: C) -> Self {
        Self { rate, limiter: RateLimiter::new(quota(rate), Buckets::default(), clock) }
    }

    /// Counts a request from this address.
    ///
    /// # Errors
    /// Returns the response to send (429) if the rate is exceeded.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Response<Full<Bytes>>> {
        self.limiter.check_key(&network(address)).map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            too_many(Owner::Address, self.rate, wait)
        })
    }
}

/// The state of each network's bucket: the time at which it is full again.
#[derive(Default)]
struct Buckets {
    shards: [Mutex<HashMap<IpAddr, Nanos>>; SHARDS],
    hasher: RandomState,
}

impl StateStore for Buckets {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, network: &IpAddr, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let at = usize::try_from(self.hasher.hash_one(network) % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(at) else { return decide(None).map(|(decision, _)| decision) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let (decision, full_at) = decide(shard.get(network).copied())?;
        if shard.len() >= MAX_IN_SHARD && !shard.contains_key(network) {
            make_room(&mut shard);
        }
        shard.insert(*network, full_at);
        Ok(decision)
    }
}

/// Forgets the half of the networks that is closest to a full bucket. They lose the least, and a network that
/// has exceeded the rate is remembered. No client is refused because others fill the memory.
fn make_room(shard: &mut HashMap<IpAddr, Nanos>) {
    let mut times: Vec<Nanos> = shard.values().copied().collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    shard.retain(|_, full_at| *full_at > median);
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;
    use http::header::RETRY_AFTER;

    use super::*;

    fn limiter(events: u32, per: Duration, clock: &FakeRelativeClock) -> AddressLimiter<FakeRelativeClock> {
        let events = NonZeroU32::new(events).unwrap();
        AddressLimiter::with_clock(Rate { events, per, burst: events }, clock.clone())
    }

    fn admitted(limiter: &AddressLimiter<FakeRelativeClock>, address: &str, requests: u32) -> u32 {
        let address = address.parse().unwrap();
        (0..requests).map(|_| u32::from(limiter.check(address).is_ok())).sum()
    }

    #[test]
    fn each_address_has_a_rate_of_its_own() {
        let clock = FakeRelativeClock::default();
        let limiter = limiter(5, Duration::from_secs(1), &clock);
        assert_eq!(admitted(&limiter, "192.0.2.1", 9), 5);
        assert_eq!(admitted(&limiter, "192.0.2.2", 9), 5);
        assert_eq!(admitted(&limiter, "::ffff:192.0.2.1", 1), 0, "the same address");
        assert_eq!(admitted(&limiter, "2001:db8::1", 5), 5);
        assert_eq!(admitted(&limiter, "2001:db8::2", 1), 0, "the same /64");
        assert_eq!(admitted(&limiter, "2001:db8:0:1::1", 1), 1);
        let refusal = limiter.check("192.0.2.1".parse().unwrap()).unwrap_err();
        assert_eq!(refusal.status(), 429);
        assert_eq!(refusal.headers()[RETRY_AFTER], "1");
        assert_eq!(refusal.headers()["ratelimit-policy"], "\"address\";q=5;w=1");
        clock.advance(Duration::from_millis(400));
        assert_eq!(admitted(&limiter, "192.0.2.1", 9), 2);
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_addresses_causes_no_refusal() {
        let clock = FakeRelativeClock::default();
        let limiter = limiter(2, Duration::from_secs(3600), &clock);
        assert_eq!(admitted(&limiter, "198.51.100.1", 9), 2);
        for number in 0..60_000_u32 {
            assert!(limiter.check(IpAddr::V4((0x0a00_0000 + number).into())).is_ok(), "{number}");
        }
        assert_eq!(admitted(&limiter, "198.51.100.1", 1), 0, "who has exceeded the rate is remembered");
        assert_eq!(admitted(&limiter, "198.51.100.2", 9), 2);
        let kept: usize =
            limiter.limiter.into_state_store().shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MAX_IN_SHARD, "{kept}");
    }
}
