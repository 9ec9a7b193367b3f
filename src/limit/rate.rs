//! Rate limits.
//!
//! A request whose client, route and upstream have no limit pays nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::config::Rate;
use crate::response;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The longest period of a limiter, in nanoseconds. Its arithmetic is in 64 bits and must not overflow.
const MAX_PERIOD: u64 = 1 << 60;

/// The subject of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Address,
    Client,
    Route,
}

impl Owner {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Client => "client",
            Self::Route => "route",
        }
    }
}

/// A token bucket: admits a number of requests per period and refuses the rest.
#[derive(Debug)]
pub(crate) struct Limiter<C: Clock = MonotonicClock> {
    owner: Owner,
    pub(super) rate: Rate,
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
}

impl Limiter {
    pub(crate) fn new(owner: Owner, rate: Rate) -> Self {
        Self::with_clock(owner, rate, MonotonicClock)
    }
}

impl<C: Clock> Limiter<C> {
    fn with_clock(owner: Owner, rate: Rate, clock: C) -> Self {
        Self { owner, rate, limiter: RateLimiter::direct_with_clock(quota(rate), clock) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// Returns the response to send (429) if the rate is exceeded.
    pub(crate) fn check(&self) -> Result<(), Response<Full<Bytes>>> {
        self.limiter.check().map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            too_many(self.owner, self.rate, wait)
        })
    }
}

/// Returns the quota of a token bucket with this rate.
pub(super) fn quota(rate: Rate) -> Quota {
    let per = u64::try_from(rate.per.as_nanos()).unwrap_or(MAX_PERIOD).min(MAX_PERIOD);
    // Rounded up, so that the rate is never above the configured one.
    let each = per.div_ceil(u64::from(rate.events.get())).max(1);
    let burst = u64::from(rate.burst.get()).min(MAX_PERIOD / each).max(1);
    let burst = NonZeroU32::new(u32::try_from(burst).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(Duration::from_nanos(each))
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

/// Builds the response of RFC 6585 §4, with the fields of draft-ietf-httpapi-ratelimit-headers.
pub(super) fn too_many(owner: Owner, rate: Rate, wait: Duration) -> Response<Full<Bytes>> {
    let detail = match owner {
        Owner::Address => "this address makes more requests than it may: wait before the next",
        Owner::Client => "this client makes more requests than it may: wait before the next",
        Owner::Route => "this resource gets more requests than it takes: wait before the next",
    };
    let mut response = response::problem(StatusCode::TOO_MANY_REQUESTS, detail);
    // Rounded up, so that a client that waits this long is not refused again.
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    let name = owner.name();
    let window = rate.per.as_secs().max(1);
    let policy = format!("\"{name}\";q={};w={window}", rate.events);
    let state = format!("\"{name}\";r=0;t={seconds}");
    for (field, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
        // Letters, digits and quotes are always a valid header value.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(field, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(events: u32, per: Duration, burst: u32) -> Rate {
        Rate { events: NonZeroU32::new(events).unwrap(), per, burst: NonZeroU32::new(burst).unwrap() }
    }

    fn admitted(limiter: &Limiter<FakeRelativeClock>, requests: u32) -> u32 {
        (0..requests).map(|_| u32::from(limiter.check().is_ok())).sum()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let clock = FakeRelativeClock::default();
        let second = Duration::from_secs(1);
        let limiter = Limiter::with_clock(Owner::Client, rate(10, second, 20), clock.clone());
        assert_eq!(admitted(&limiter, 30), 20);
        clock.advance(Duration::from_millis(500));
        assert_eq!(admitted(&limiter, 30), 5);
        clock.advance(Duration::from_secs(60));
        assert_eq!(admitted(&limiter, 30), 20, "no more than one burst accumulates");
    }

    #[test]
    fn a_client_that_waits_for_retry_after_is_admitted() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(Owner::Route, rate(2, Duration::from_secs(60), 1), clock.clone());
        assert!(limiter.check().is_ok());
        clock.advance(Duration::from_millis(500));
        let refusal = limiter.check().unwrap_err();
        assert_eq!(refusal.status(), 429);
        assert_eq!(refusal.headers()[RETRY_AFTER], "30");
        assert_eq!(refusal.headers()[RATE_LIMIT_POLICY], "\"route\";q=2;w=60");
        assert_eq!(refusal.headers()[RATE_LIMIT], "\"route\";r=0;t=30");
        clock.advance(Duration::from_secs(29));
        assert!(limiter.check().is_err());
        clock.advance(Duration::from_secs(1));
        assert!(limiter.check().is_ok());
    }

    #[test]
    fn no_rate_overflows() {
        for (events, per, burst) in [
            (1, Duration::MAX, u32::MAX),
            (u32::MAX, Duration::from_nanos(1), u32::MAX),
            (1, Duration::ZERO, 1),
        ] {
            let clock = FakeRelativeClock::default();
            let limiter = Limiter::with_clock(Owner::Client, rate(events, per, burst), clock.clone());
            assert!(limiter.check().is_ok());
            clock.advance(Duration::from_secs(3600 * 24 * 365));
            let _ = limiter.check();
        }
    }
}
