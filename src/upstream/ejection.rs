//! Outlier detection: a server whose requests fail is ejected for a while, then gets traffic again in a slow
//! start.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::config::Ejection;

/// The part of its share of requests that a server gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// The full share.
    Active,
    /// No requests.
    Ejected,
    /// This fraction of its share, above 0 and below 1.
    SlowStart(f64),
}

/// The outcomes of a server's requests, and the ejection that follows from them.
#[derive(Debug, Default)]
pub(crate) struct EjectionState {
    consecutive_failures: AtomicU32,
    /// When the last ejection ends or ended, in milliseconds; 0 if the server was never ejected.
    ejected_until: AtomicU64,
    /// Whether the end of the ejection must still be logged.
    return_unreported: AtomicBool,
    /// The number of ejections in short succession. The duration doubles with each.
    ejections: Mutex<u32>,
}

impl EjectionState {
    /// Records that the server answered a request.
    pub(crate) fn success(&self) {
        // Checked first, so that the usual case writes nothing to the shared cache line.
        if self.consecutive_failures.load(Ordering::Relaxed) != 0 {
            self.consecutive_failures.store(0, Ordering::Relaxed);
        }
    }

    /// Records that a request failed. Returns the duration of the ejection if this failure starts one.
    pub(crate) fn failure(&self, rule: &Ejection, now: Millis) -> Option<Duration> {
        let failures = self.consecutive_failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < rule.failures.get() {
            return None;
        }
        let mut ejections = self.ejections.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Millis::new(self.ejected_until.load(Ordering::Relaxed));
        // Requests that were in flight when the ejection began may fail too: they do not extend it.
        if until > now {
            return None;
        }
        let was_healthy_for_long = until == Millis::default() || now.since(until) > rule.max;
        *ejections = if was_healthy_for_long { 1 } else { ejections.saturating_add(1) };
        let span = rule.span.saturating_mul(2_u32.saturating_pow(*ejections - 1)).min(rule.max);
        self.ejected_until.store(now.after(span).as_u64().max(1), Ordering::Relaxed);
        self.return_unreported.store(true, Ordering::Relaxed);
        // The first failure after the ejection starts another one; the first success clears the count.
        self.consecutive_failures.store(rule.failures.get() - 1, Ordering::Relaxed);
        Some(span)
    }

    /// Starts the slow start of a server that was unavailable for another reason.
    pub(crate) fn begin_slow_start(&self, now: Millis) {
        self.ejected_until.fetch_max(now.as_u64().max(1), Ordering::Relaxed);
    }

    /// Returns how much of its share the server gets now.
    pub(crate) fn phase(&self, rule: &Ejection, now: Millis) -> Phase {
        match self.ejected_until.load(Ordering::Relaxed) {
            0 => Phase::Active,
            until if until > now.as_u64() => Phase::Ejected,
            until => {
                let back = now.since(Millis::new(until)).as_secs_f64() / rule.return_over.as_secs_f64();
                // At least 5 %: a server with little traffic would otherwise not be tried at all.
                if back < 1.0 { Phase::SlowStart(back.max(0.05)) } else { Phase::Active }
            }
        }
    }

    /// Returns true once after each ejection, so that its end is logged once.
    pub(crate) fn take_unreported_return(&self) -> bool {
        self.return_unreported.load(Ordering::Relaxed)
            && self.return_unreported.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const RULE: Ejection = Ejection {
        failures: NonZeroU32::new(3).unwrap(),
        server_errors: false,
        span: Duration::from_secs(10),
        max: Duration::from_secs(60),
        return_over: Duration::from_secs(10),
    };

    fn at(seconds: u64) -> Millis {
        Millis::new(seconds * 1000)
    }

    fn fail(state: &EjectionState, times: u32, now: Millis) -> Option<u64> {
        (0..times).filter_map(|_| state.failure(&RULE, now)).map(|span| span.as_secs()).next()
    }

    #[test]
    fn only_consecutive_failures_count() {
        let state = EjectionState::default();
        for _ in 0..10 {
            assert_eq!(fail(&state, 2, at(1)), None);
            state.success();
        }
        assert_eq!(state.phase(&RULE, at(1)), Phase::Active);
        assert_eq!(fail(&state, 3, at(1)), Some(10));
        assert_eq!(state.phase(&RULE, at(1)), Phase::Ejected);
        assert_eq!(
            fail(&state, 10, at(2)),
            None,
            "failures of requests in flight do not extend the ejection"
        );
        assert_eq!(state.phase(&RULE, Millis::new(10_999)), Phase::Ejected);
    }

    #[test]
    fn the_share_grows_during_the_slow_start() {
        let state = EjectionState::default();
        fail(&state, 3, at(0));
        for (second, phase) in [
            (9, Phase::Ejected),
            (10, Phase::SlowStart(0.05)),
            (12, Phase::SlowStart(0.2)),
            (19, Phase::SlowStart(0.9)),
            (20, Phase::Active),
        ] {
            assert_eq!(state.phase(&RULE, at(second)), phase, "{second}");
        }
        assert!(state.take_unreported_return() && !state.take_unreported_return());
    }

    #[test]
    fn ejections_double_up_to_the_maximum_and_reset_after_a_healthy_period() {
        let state = EjectionState::default();
        let mut now = 1;
        assert_eq!(fail(&state, 3, at(now)), Some(10));
        for span in [20, 40, 60, 60] {
            now += 61;
            assert_eq!(fail(&state, 1, at(now)), Some(span), "the first failure after an ejection is enough");
        }
        now += 60 + 30;
        state.success();
        assert_eq!(fail(&state, 2, at(now)), None, "a success clears the count");
        assert_eq!(
            fail(&state, 1, at(now)),
            Some(60),
            "the healthy period was too short to reset the duration"
        );
        now += 60 + 61;
        state.success();
        assert_eq!(fail(&state, 3, at(now)), Some(10));
    }

    #[test]
    fn a_slow_start_does_not_shorten_an_ejection() {
        let state = EjectionState::default();
        state.begin_slow_start(at(100));
        assert_eq!(state.phase(&RULE, at(102)), Phase::SlowStart(0.2));
        assert!(!state.take_unreported_return());
        fail(&state, 3, at(103));
        state.begin_slow_start(at(104));
        assert_eq!(state.phase(&RULE, at(104)), Phase::Ejected, "the ejection still lasts");
    }

    #[test]
    fn many_long_ejections_do_not_overflow() {
        let rule = Ejection { span: Duration::from_secs(86_400), max: Duration::from_secs(86_400), ..RULE };
        let state = EjectionState::default();
        let mut now = Millis::new(0);
        for _ in 0..100 {
            while state.failure(&rule, now).is_none() {}
            now = now.after(Duration::from_secs(86_401));
        }
        assert!(*state.ejections.lock().unwrap() >= 100);
    }
}
