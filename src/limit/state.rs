//! The limits that a reload carries over.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::by_address::AddressLimiter;
use super::by_registered::RegisteredLimiter;
use super::concurrency::{ConcurrencyLimit, InFlightGauge, QueueBounds};
use super::rate::{Limiter, Owner};
use crate::config::Rate;

/// Identifies a limit across reloads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum LimitKey {
    Client(String),
    /// The clients that registered themselves under a template.
    Template(String),
    /// The route's host, pattern and methods.
    Route(String),
    Upstream(String),
    Server,
}

/// The limits of a configuration. The next configuration takes them over: a reload must neither forget the
/// requests in flight nor reset the rate of every client.
#[derive(Debug, Default)]
pub(crate) struct LimitState {
    limiters: HashMap<LimitKey, Arc<Limiter>>,
    by_address: HashMap<LimitKey, Arc<AddressLimiter>>,
    by_registered: HashMap<LimitKey, Arc<RegisteredLimiter>>,
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

    /// Returns the limiter by address for `key`: the previous one if its rate is unchanged.
    pub(crate) fn by_address(
        &mut self,
        before: Option<&Self>,
        key: &LimitKey,
        rate: Rate,
    ) -> Arc<AddressLimiter> {
        let before = before.and_then(|before| before.by_address.get(key));
        let kept = before.filter(|limiter| limiter.rate == rate).cloned();
        let limiter = kept.unwrap_or_else(|| Arc::new(AddressLimiter::new(rate)));
        self.by_address.insert(key.clone(), Arc::clone(&limiter));
        limiter
    }

    /// Returns the limiter by registered client for `key`: the previous one if its rate is unchanged.
    pub(crate) fn by_registered(
        &mut self,
        before: Option<&Self>,
        key: &LimitKey,
        rate: Rate,
    ) -> Arc<RegisteredLimiter> {
        let before = before.and_then(|before| before.by_registered.get(key));
        let kept = before.filter(|limiter| limiter.rate == rate).cloned();
        let limiter = kept.unwrap_or_else(|| Arc::new(RegisteredLimiter::new(rate)));
        self.by_registered.insert(key.clone(), Arc::clone(&limiter));
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
    use std::num::NonZeroU32;
    use std::time::Duration;

    use http::HeaderValue;
    use http::header::RETRY_AFTER;

    use super::*;

    fn rate(events: u32, per: Duration, burst: u32) -> Rate {
        Rate { events: NonZeroU32::new(events).unwrap(), per, burst: NonZeroU32::new(burst).unwrap() }
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
