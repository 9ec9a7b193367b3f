//! Leaving a server out for a while whose requests fail, and taking it back little by little.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::config::Ejection;

/// How much of its share a server gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// All of it.
    Active,
    /// Left out.
    Ejected,
    /// Back for a short while: this part of it, above 0 and below 1.
    SlowStart(f64),
}

/// What a server's own requests say of it.
#[derive(Debug, Default)]
pub(crate) struct EjectionState {
    /// Failures since the last success.
    run: AtomicU32,
    /// When it may return, or did, in milliseconds; 0 where it was never out.
    until: AtomicU64,
    /// Out, and its return not yet told.
    to_announce: AtomicBool,
    /// How often it was out without having been well for long in between.
    times: Mutex<u32>,
}

impl EjectionState {
    /// A request was answered.
    pub(crate) fn success(&self) {
        // Nearly always nothing to do, and then nothing is written that other threads read.
        if self.run.load(Ordering::Relaxed) != 0 {
            self.run.store(0, Ordering::Relaxed);
        }
    }

    /// A request failed. How long the server is out from now on, if this was one too many.
    pub(crate) fn failure(&self, rule: &Ejection, now: Millis) -> Option<Duration> {
        let run = self.run.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if run < rule.failures.get() {
            return None;
        }
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Millis::new(self.until.load(Ordering::Relaxed));
        // Other requests that were under way when it was put out fail too.
        if until > now {
            return None;
        }
        let was_well_for_long = until == Millis::default() || now.since(until) > rule.max;
        *times = if was_well_for_long { 1 } else { times.saturating_add(1) };
        let span = rule.span.saturating_mul(2_u32.saturating_pow(*times - 1)).min(rule.max);
        self.until.store(now.after(span).as_u64().max(1), Ordering::Relaxed);
        self.to_announce.store(true, Ordering::Relaxed);
        // Its first failure after its return puts it out again; its first success clears it.
        self.run.store(rule.failures.get() - 1, Ordering::Relaxed);
        Some(span)
    }

    /// It was away for another reason and is back: it is to return little by little, too.
    pub(crate) fn begin_slow_start(&self, now: Millis) {
        self.until.fetch_max(now.as_u64().max(1), Ordering::Relaxed);
    }

    /// How much of its share it gets now.
    pub(crate) fn phase(&self, rule: &Ejection, now: Millis) -> Phase {
        match self.until.load(Ordering::Relaxed) {
            0 => Phase::Active,
            until if until > now.as_u64() => Phase::Ejected,
            until => {
                let back = now.since(Millis::new(until)).as_secs_f64() / rule.return_over.as_secs_f64();
                // A little from the first moment on: or a server that is asked seldom would never be tried.
                if back < 1.0 { Phase::SlowStart(back.max(0.05)) } else { Phase::Active }
            }
        }
    }

    /// Whether it has returned and nobody was told: true once.
    pub(crate) fn announce(&self) -> bool {
        self.to_announce.load(Ordering::Relaxed) && self.to_announce.swap(false, Ordering::Relaxed)
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
    fn only_a_run_of_failures_counts() {
        let state = EjectionState::default();
        for _ in 0..10 {
            assert_eq!(fail(&state, 2, at(1)), None);
            state.success();
        }
        assert_eq!(state.phase(&RULE, at(1)), Phase::Active);
        assert_eq!(fail(&state, 3, at(1)), Some(10));
        assert_eq!(state.phase(&RULE, at(1)), Phase::Ejected);
        assert_eq!(fail(&state, 10, at(2)), None, "those under way do not make it longer");
        assert_eq!(state.phase(&RULE, Millis::new(10_999)), Phase::Ejected);
    }

    #[test]
    fn it_returns_little_by_little() {
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
        assert!(state.announce() && !state.announce());
    }

    #[test]
    fn longer_each_time_up_to_a_bound_and_short_again_after_a_good_while() {
        let state = EjectionState::default();
        let mut now = 1;
        assert_eq!(fail(&state, 3, at(now)), Some(10));
        for span in [20, 40, 60, 60] {
            now += 61;
            assert_eq!(fail(&state, 1, at(now)), Some(span), "the first failure after its return is enough");
        }
        now += 60 + 30;
        state.success();
        assert_eq!(fail(&state, 2, at(now)), None, "a success clears it");
        assert_eq!(fail(&state, 1, at(now)), Some(60), "but it was not well for long");
        now += 60 + 61;
        state.success();
        assert_eq!(fail(&state, 3, at(now)), Some(10));
    }

    #[test]
    fn who_was_away_for_another_reason_returns_little_by_little_too() {
        let state = EjectionState::default();
        state.begin_slow_start(at(100));
        assert_eq!(state.phase(&RULE, at(102)), Phase::SlowStart(0.2));
        assert!(!state.announce());
        fail(&state, 3, at(103));
        state.begin_slow_start(at(104));
        assert_eq!(state.phase(&RULE, at(104)), Phase::Ejected, "but it stays out for its time");
    }

    #[test]
    fn nothing_overflows() {
        let rule = Ejection { span: Duration::from_secs(86_400), max: Duration::from_secs(86_400), ..RULE };
        let state = EjectionState::default();
        let mut now = Millis::new(0);
        for _ in 0..100 {
            while state.failure(&rule, now).is_none() {}
            now = now.after(Duration::from_secs(86_401));
        }
        assert!(*state.times.lock().unwrap() >= 100);
    }
}
