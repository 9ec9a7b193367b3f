//! The retry budget of an upstream: bounds the load that retries add.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::config::RetryBudget as Share;

/// The period over which requests and retries are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Allows retries up to a share of the requests, so that retries cannot double the load of a failing
/// upstream.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    share: Share,
    requests: ShardedCounter,
    recent: Mutex<Recent>,
}

/// Requests and retries in about the last [`WINDOW`]. Older ones decay linearly.
#[derive(Debug)]
struct Recent {
    /// The total of requests at the last update.
    total: u64,
    updated: Millis,
    requests: f64,
    retries: f64,
}

impl RetryBudget {
    pub(crate) fn new(share: Share, now: Millis) -> Self {
        let recent = Recent { total: 0, updated: now, requests: 0.0, retries: 0.0 };
        Self { share, requests: ShardedCounter::default(), recent: Mutex::new(recent) }
    }

    /// Counts a request.
    pub(crate) fn request(&self) {
        self.requests.add();
    }

    /// Returns whether one more retry is allowed, and counts it if so.
    pub(crate) fn try_retry(&self, now: Millis) -> bool {
        let total = self.requests.total();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.advance(total, now);
        let minimum = f64::from(self.share.min_per_second) * WINDOW.as_secs_f64();
        let allowed = recent.requests * f64::from(self.share.percent) / 100.0 + minimum;
        if recent.retries + 1.0 > allowed {
            return false;
        }
        recent.retries += 1.0;
        true
    }
}

impl Recent {
    fn advance(&mut self, total: u64, now: Millis) {
        let windows = now.since(self.updated).as_secs_f64() / WINDOW.as_secs_f64();
        let kept = (1.0 - windows).max(0.0);
        let new = total.saturating_sub(self.total) as f64;
        // The new requests are assumed to be spread evenly over the time since the last update.
        self.requests = self.requests * kept + new / windows.max(1.0);
        self.retries *= kept;
        (self.total, self.updated) = (total, now);
    }
}

const SHARDS: usize = 16;

/// A counter that threads increment without sharing a cache line. Threads beyond the sixteenth share a shard
/// and may lose increments, which a budget can tolerate.
#[derive(Debug, Default)]
struct ShardedCounter([Shard; SHARDS]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

impl ShardedCounter {
    fn add(&self) {
        if let Some(Shard(count)) = self.0.get(shard()) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|Shard(count)| count.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// Returns the index of this thread's shard.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static SHARD: Cell<usize> = const { Cell::new(usize::MAX) } }
    SHARD.with(|shard| {
        if shard.get() == usize::MAX {
            shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Millis {
        Millis::new(1_000_000 + (seconds * 1000.0) as u64)
    }

    fn allowed(budget: &RetryBudget, attempts: u32, now: Millis) -> u32 {
        (0..attempts).map(|_| u32::from(budget.try_retry(now))).sum()
    }

    #[test]
    fn retries_are_bounded_by_a_share_of_the_requests_plus_a_minimum() {
        for (percent, min_per_second, requests, expected) in
            [(20, 10, 0, 100), (20, 10, 1_000, 300), (20, 0, 1_000, 200), (0, 1, 1_000, 10), (0, 0, 1_000, 0)]
        {
            let budget = RetryBudget::new(Share { percent, min_per_second }, at(0.0));
            for _ in 0..requests {
                budget.request();
            }
            assert_eq!(allowed(&budget, 10_000, at(0.0)), expected, "{percent} % and {min_per_second}/s");
        }
    }

    #[test]
    fn the_share_holds_for_a_steady_stream_of_failures() {
        let budget = RetryBudget::new(Share { percent: 20, min_per_second: 0 }, at(0.0));
        let mut retried = 0;
        // 100 failing requests per second for a minute.
        for tick in 0..6_000 {
            budget.request();
            retried += u32::from(budget.try_retry(at(f64::from(tick) / 100.0)));
        }
        assert!((1_000..=1_300).contains(&retried), "{retried}");
    }

    #[test]
    fn old_requests_no_longer_count() {
        let budget = RetryBudget::new(Share { percent: 20, min_per_second: 0 }, at(0.0));
        for _ in 0..10_000 {
            budget.request();
        }
        assert_eq!(allowed(&budget, 10_000, at(1_000.0)), 20, "ten per second, without a retry so far");
        assert_eq!(allowed(&budget, 100, at(1_060.0)), 0, "a minute without requests");
        for _ in 0..1_000 {
            budget.request();
        }
        // A thousand requests in fifty seconds are two hundred in ten.
        assert_eq!(allowed(&budget, 1_000, at(1_110.0)), 40);
        assert_eq!(allowed(&budget, 1_000, at(1_110.0)), 0);
    }

    #[test]
    fn increments_of_all_threads_are_summed() {
        let counter = ShardedCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.add()));
            }
        });
        assert!((1_000..=4_000).contains(&counter.total()), "{}", counter.total());
    }
}
