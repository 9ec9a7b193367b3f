//! Rate limits, and the limits that a reload carries over.
//!
//! A request whose client, route and upstream have no limit pays nothing.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::concurrency::{ConcurrencyLimit, InFlightGauge, QueueBounds};
use crate::config::Rate;
use crate::response;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The longest period of a limiter, in nanoseconds. Its arithmetic is in 64 bits and must not overflow.
const MAX_PERIOD: u64 = 1 << 60;

/// What a rate limit applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Client,
    Route,
}

impl Owner {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Route => "route",
        }
    }
}

/// A token bucket: admits a number of requests per period and refuses the rest.
#[derive(Debug)]
pub(crate) struct Limiter<C: Clock = MonotonicClock> {
    owner: Owner,
    rate: Rate,
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
}

impl Limiter {
    pub(crate) fn new(owner: Owner, rate: Rate) -> Self {
        Self::with_clock(owner, rate, MonotonicClock)
    }
}

impl<C: Clock> Limiter<C> {
    fn with_clock(owner: Owner, rate: Rate, clock: C) -> Self {
        let per = u64::try_from(rate.per.as_nanos()).unwrap_or(MAX_PERIOD).min(MAX_PERIOD);
        // Rounded up, so that the rate is never above the configured one.
        let each = per.div_ceil(u64::from(rate.events.get())).max(1);
        let burst = u64::from(rate.burst.get()).min(MAX_PERIOD / each).max(1);
        let burst = NonZeroU32::new(u32::try_from(burst).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_nanos(each))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        Self { owner, rate, limiter: RateLimiter::direct_with_clock(quota, clock) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// Returns the response to send (429) if the rate is exceeded.
    pub(crate) fn check(&self) -> Result<(), Response<Full<Bytes>>> {
        self.limiter.check().map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            self.too_many(wait)
        })
    }

    /// Builds the response of RFC 6585 §4, with the fields of draft-ietf-httpapi-ratelimit-headers.
    fn too_many(&self, wait: Duration) -> Response<Full<Bytes>> {
        let detail = match self.owner {
            Owner::Client => "this client makes more requests than it may: wait before the next",
            Owner::Route => "this resource gets more requests than it takes: wait before the next",
        };
        let mut response = response::problem(StatusCode::TOO_MANY_REQUESTS, detail);
        // Rounded up, so that a client that waits this long is not refused again.
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        let name = self.owner.name();
        let window = self.rate.per.as_secs().max(1);
        let policy = format!("\"{name}\";q={};w={window}", self.rate.events);
        let state = format!("\"{name}\";r=0;t={seconds}");
        for (field, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            // Letters, digits and quotes are always a valid header value.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(field, value);
            }
        }
        response
    }
}

/// The limiters of the clients that have a rate.
pub(crate) type ClientLimits = HashMap<Box<str>, Arc<Limiter>>;

/// Identifies a limit across reloads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LimitKey {
    Client(String),
    /// The route's host, pattern and methods.
    Route(String),
    Upstream(String),
}

/// The limits of a configuration. The next configuration takes them over: a reload must neither forget the
/// requests in flight nor reset the rate of every client.
#[derive(Debug, Default)]
pub(crate) struct LimitState {
    limiters: HashMap<LimitKey, Arc<Limiter>>,
    gauges: HashMap<LimitKey, Arc<InFlightGauge>>,
}

impl LimitState {
    /// Returns the limiter for `key`: the previous one if its rate is unchanged.
    pub(crate) fn limiter(&mut self, before: Option<&Self>, key: &LimitKey, rate: Rate) -> Arc<Limiter> {
        let kept = before
            .and_then(|before| before.limiters.get(key))
            .filter(|limiter| limiter.rate == rate)
            .cloned();
        let owner = if matches!(key, LimitKey::Client(_)) { Owner::Client } else { Owner::Route };
        let limiter = kept.unwrap_or_else(|| Arc::new(Limiter::new(owner, rate)));
        self.limiters.insert(key.clone(), Arc::clone(&limiter));
        limiter
    }

    /// Returns the concurrency limit for `key`. It shares its gauge with the previous one, even if the
    /// maximum changed.
    pub(crate) fn concurrency(
        &mut self,
        before: Option<&Self>,
        key: &LimitKey,
        max: NonZeroUsize,
        queue: Option<QueueBounds>,
    ) -> ConcurrencyLimit {
        let gauge = before.and_then(|before| before.gauges.get(key)).cloned().unwrap_or_default();
        self.gauges.insert(key.clone(), Arc::clone(&gauge));
        ConcurrencyLimit { max, queue, gauge }
    }
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

    #[test]
    fn permits_are_released_and_carried_over() {
        let max = NonZeroUsize::new(2).unwrap();
        let key = LimitKey::Upstream("api".to_owned());
        let mut first = LimitState::default();
        let limit = first.concurrency(None, &key, max, None);
        let permits = (limit.try_acquire().unwrap(), limit.try_acquire().unwrap());
        let refusal = limit.try_acquire().unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        // After a reload with another maximum, the requests in flight still count.
        let three =
            LimitState::default().concurrency(Some(&first), &key, NonZeroUsize::new(3).unwrap(), None);
        let third = three.try_acquire().unwrap();
        assert!(three.try_acquire().is_err());
        drop((permits, third));
        assert!(three.try_acquire().is_ok() && three.gauge.count() == 0);
    }

    #[test]
    fn a_limiter_is_kept_while_its_rate_is_unchanged() {
        let key = LimitKey::Client("a".to_owned());
        let (mut first, mut second) = (LimitState::default(), LimitState::default());
        let slow = rate(1, Duration::from_secs(3600), 1);
        let limiter = first.limiter(None, &key, slow);
        assert!(limiter.check().is_ok());
        assert!(second.limiter(Some(&first), &key, slow).check().is_err());
        let other = rate(2, Duration::from_secs(3600), 1);
        assert!(second.limiter(Some(&first), &key, other).check().is_ok());
    }
}
