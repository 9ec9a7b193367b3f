//! The rate limit of each client that registered itself under one template, in bounded memory.

use bytes::Bytes;
use governor::RateLimiter;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use http::Response;
use http_body_util::Full;

use super::buckets::Buckets;
use super::rate::{Owner, quota, too_many};
use crate::config::Rate;
use crate::oauth::registration::CLIENT_ID_LENGTH;

/// The id of a registered client. All have the same length.
type Id = [u8; CLIENT_ID_LENGTH];

/// A token bucket for each registered client of a template.
#[derive(Debug)]
pub(crate) struct RegisteredLimiter<C: Clock = MonotonicClock> {
    pub(super) rate: Rate,
    limiter: RateLimiter<Id, Buckets<Id>, C, NoOpMiddleware<C::Instant>>,
}

impl RegisteredLimiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with_clock(rate, MonotonicClock)
    }
}

impl<C: Clock> RegisteredLimiter<C> {
    fn with_clock(rate: Rate, clock: C) -> Self {
        Self { rate, limiter: RateLimiter::new(quota(rate), Buckets::default(), clock) }
    }

    /// Counts a request of this client. An id that cannot be that of a registered client has no limit.
    ///
    /// # Errors
    /// Returns the response to send (429) if the rate is exceeded.
    pub(crate) fn check(&self, client: &str) -> Result<(), Response<Full<Bytes>>> {
        let Ok(id) = Id::try_from(client.as_bytes()) else { return Ok(()) };
        self.limiter.check_key(&id).map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            too_many(Owner::Client, self.rate, wait)
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

    #[test]
    fn each_client_has_a_rate_of_its_own_in_bounded_memory() {
        let clock = FakeRelativeClock::default();
        let events = NonZeroU32::new(2).unwrap();
        let rate = Rate { events, per: Duration::from_secs(60), burst: events };
        let limiter = RegisteredLimiter::with_clock(rate, clock.clone());
        let id = |number: u32| format!("reg_{number:022}");
        let admitted = |number| (0..9).filter(|_| limiter.check(&id(number)).is_ok()).count();
        assert_eq!([admitted(1), admitted(2), admitted(1)], [2, 2, 0]);
        let refusal = limiter.check(&id(1)).unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (429, &"30".parse().unwrap())
        );
        clock.advance(Duration::from_secs(60));
        assert_eq!(admitted(1), 2);
        for number in 3..60_000 {
            assert!(limiter.check(&id(number)).is_ok(), "{number}");
        }
        assert_eq!(admitted(1), 0, "a client that has exceeded the rate is remembered");
        assert!(limiter.limiter.into_state_store().count() <= MAX);
    }
}
