//! Rates, what an exchange holds, and what a reload goes on counting.
//!
//! Nothing here costs a request whose client, route and upstream have no limit.

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
use tokio::time::Instant;

use super::concurrency::{ConcurrencyLimit, ConcurrencyPermit, InFlightGauge, QueueBounds, QueueTicket};
use crate::config::Rate;
use crate::response;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How far ahead a limiter may reckon: its arithmetic is in nanoseconds of 64 bits and must not run over.
const LONGEST: u64 = 1 << 60;

/// Whose limit it is.
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

/// Lets through so many requests in each period, and refuses the others.
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
        let per = u64::try_from(rate.per.as_nanos()).unwrap_or(LONGEST).min(LONGEST);
        // Rounded up: never more than the file says.
        let each = per.div_ceil(u64::from(rate.events.get())).max(1);
        let burst = u64::from(rate.burst.get()).min(LONGEST / each).max(1);
        let burst = NonZeroU32::new(u32::try_from(burst).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_nanos(each))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        Self { owner, rate, limiter: RateLimiter::direct_with_clock(quota, clock) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// One too many: the answer to it.
    pub(crate) fn check(&self) -> Result<(), Response<Full<Bytes>>> {
        self.limiter.check().map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            self.too_many(wait)
        })
    }

    /// RFC 6585 §4, and the fields of draft-ietf-httpapi-ratelimit-headers.
    fn too_many(&self, wait: Duration) -> Response<Full<Bytes>> {
        let detail = match self.owner {
            Owner::Client => "this client makes more requests than it may: wait before the next",
            Owner::Route => "this resource gets more requests than it takes: wait before the next",
        };
        let mut response = response::problem(StatusCode::TOO_MANY_REQUESTS, detail);
        // Rounded up: a client that waits so long is not refused again for this.
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        let name = self.owner.name();
        let window = self.rate.per.as_secs().max(1);
        let policy = format!("\"{name}\";q={};w={window}", self.rate.events);
        let state = format!("\"{name}\";r=0;t={seconds}");
        for (field, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            // Letters, digits and quotes: always a header value.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(field, value);
            }
        }
        response
    }
}

/// What an exchange holds, and how long it may take, until its answer has ended. Boxed where it is kept: most
/// exchanges have none.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// When the answer must have ended.
    pub(crate) deadline: Option<Instant>,
    /// Its place in the route's requests.
    pub(crate) route: Option<ConcurrencyPermit>,
    /// Its place in the upstream's.
    pub(crate) upstream: Option<ConcurrencyPermit>,
    /// Its place among those who wait for that.
    pub(crate) ticket: Option<QueueTicket>,
    /// Its place in those of the server that was picked.
    pub(crate) server: Option<ConcurrencyPermit>,
}

impl Bounds {
    /// The bounds of an exchange, made on first need.
    pub(crate) fn of(bounds: &mut Option<Box<Self>>) -> &mut Self {
        bounds.get_or_insert_default()
    }
}

/// The limiters of the clients that have a rate.
pub(crate) type ClientLimits = HashMap<Box<str>, Arc<Limiter>>;

/// What something counted is known by over a reload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Client(String),
    /// Host, pattern and methods.
    Route(String),
    Upstream(String),
}

/// What is counted now: a reload must neither forget what is under way nor give every client a new start.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    limiters: HashMap<Subject, Arc<Limiter>>,
    gauges: HashMap<Subject, Arc<InFlightGauge>>,
}

impl Counted {
    /// The limiter of `subject`: the one before, if its rate is the same.
    pub(crate) fn limiter(&mut self, before: Option<&Self>, subject: &Subject, rate: Rate) -> Arc<Limiter> {
        let kept = before
            .and_then(|before| before.limiters.get(subject))
            .filter(|limiter| limiter.rate == rate)
            .cloned();
        let owner = if matches!(subject, Subject::Client(_)) { Owner::Client } else { Owner::Route };
        let limiter = kept.unwrap_or_else(|| Arc::new(Limiter::new(owner, rate)));
        self.limiters.insert(subject.clone(), Arc::clone(&limiter));
        limiter
    }

    /// The bound of `subject`: it counts on with what the one before counts, whatever the most was then.
    pub(crate) fn in_flight(
        &mut self,
        before: Option<&Self>,
        subject: &Subject,
        most: NonZeroUsize,
        queue: Option<QueueBounds>,
    ) -> ConcurrencyLimit {
        let gauge = before.and_then(|before| before.gauges.get(subject)).cloned().unwrap_or_default();
        self.gauges.insert(subject.clone(), Arc::clone(&gauge));
        ConcurrencyLimit { most, queue, gauge }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(events: u32, per: Duration, burst: u32) -> Rate {
        Rate { events: NonZeroU32::new(events).unwrap(), per, burst: NonZeroU32::new(burst).unwrap() }
    }

    fn passed(limiter: &Limiter<FakeRelativeClock>, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(limiter.check().is_ok())).sum()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let clock = FakeRelativeClock::default();
        let second = Duration::from_secs(1);
        let limiter = Limiter::with_clock(Owner::Client, rate(10, second, 20), clock.clone());
        assert_eq!(passed(&limiter, 30), 20);
        clock.advance(Duration::from_millis(500));
        assert_eq!(passed(&limiter, 30), 5);
        clock.advance(Duration::from_secs(60));
        assert_eq!(passed(&limiter, 30), 20, "no more than a burst is saved up");
    }

    #[test]
    fn who_waits_as_long_as_told_passes() {
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
    fn places_are_given_back() {
        let most = NonZeroUsize::new(2).unwrap();
        let subject = Subject::Upstream("api".to_owned());
        let mut first = Counted::default();
        let bound = first.in_flight(None, &subject, most, None);
        let places = (bound.enter().unwrap(), bound.enter().unwrap());
        let refusal = bound.enter().unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        // A reload with another most goes on with what is under way.
        let three = Counted::default().in_flight(Some(&first), &subject, NonZeroUsize::new(3).unwrap(), None);
        let third = three.enter().unwrap();
        assert!(three.enter().is_err());
        drop((places, third));
        assert!(three.enter().is_ok() && three.gauge.now() == 0);
    }

    #[test]
    fn a_limiter_is_kept_while_its_rate_is_the_same() {
        let subject = Subject::Client("a".to_owned());
        let (mut first, mut second) = (Counted::default(), Counted::default());
        let slow = rate(1, Duration::from_secs(3600), 1);
        let limiter = first.limiter(None, &subject, slow);
        assert!(limiter.check().is_ok());
        assert!(second.limiter(Some(&first), &subject, slow).check().is_err());
        let other = rate(2, Duration::from_secs(3600), 1);
        assert!(second.limiter(Some(&first), &subject, other).check().is_ok());
    }
}
