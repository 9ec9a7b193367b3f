//! Rate limits by client address, in bounded memory.

use std::net::IpAddr;

use bytes::Bytes;
use governor::RateLimiter;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use http::Response;
use http_body_util::Full;

use super::buckets::Buckets;
use super::rate::{Owner, quota, too_many};
use crate::config::Rate;
use crate::gate::network;

/// A token bucket for each address. The addresses of an IPv6 /64 share one.
#[derive(Debug)]
pub(crate) struct AddressLimiter<C: Clock = MonotonicClock> {
    pub(super) rate: Rate,
    limiter: RateLimiter<IpAddr, Buckets<IpAddr>, C, NoOpMiddleware<C::Instant>>,
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;
    use http::header::RETRY_AFTER;

    use super::*;
    use crate::limit::buckets::MAX;

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
        let kept = limiter.limiter.into_state_store().count();
        assert!(kept <= MAX, "{kept}");
    }
}
