//! How much trying again may add to what the servers of an upstream get.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::config::RetryBudget as Share;

/// What counts as recent.
const WINDOW: Duration = Duration::from_secs(10);

/// Lets requests be tried again as long as that is a small share of them: a dead upstream must not get twice the load.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    share: Share,
    requests: Tally,
    recent: Mutex<Recent>,
}

/// Requests and retries of about the last [`WINDOW`], older ones fading.
#[derive(Debug)]
struct Recent {
    /// What the tally said, and when.
    counted: u64,
    at: Millis,
    requests: f64,
    retries: f64,
}

impl RetryBudget {
    /// A budget that counts from now on.
    pub(crate) fn new(share: Share, now: Millis) -> Self {
        let recent = Recent { counted: 0, at: now, requests: 0.0, retries: 0.0 };
        Self { share, requests: Tally::default(), recent: Mutex::new(recent) }
    }

    /// Counts a request.
    pub(crate) fn request(&self) {
        self.requests.add();
    }

    /// Whether one more may be tried again now; it counts as one that was.
    pub(crate) fn allows(&self, now: Millis) -> bool {
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
        let windows = now.since(self.at).as_secs_f64() / WINDOW.as_secs_f64();
        let kept = (1.0 - windows).max(0.0);
        let new = total.saturating_sub(self.counted) as f64;
        // Of those since the last look, as many as came in the window, were they spread evenly.
        self.requests = self.requests * kept + new / windows.max(1.0);
        self.retries *= kept;
        (self.counted, self.at) = (total, now);
    }
}

const SHARDS: usize = 16;

/// A count that threads add to without sharing a cache line. Threads beyond the sixteenth share one, and may then
/// miscount a little, which a share of it can bear.
#[derive(Debug, Default)]
struct Tally([Shard; SHARDS]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

impl Tally {
    fn add(&self) {
        if let Some(Shard(count)) = self.0.get(shard()) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|Shard(count)| count.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static MINE: Cell<usize> = const { Cell::new(usize::MAX) } }
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Millis {
        Millis::new(1_000_000 + (seconds * 1000.0) as u64)
    }

    fn allowed(budget: &RetryBudget, asked: u32, now: Millis) -> u32 {
        (0..asked).map(|_| u32::from(budget.allows(now))).sum()
    }

    #[test]
    fn a_share_of_the_requests_and_a_minimum() {
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
    fn of_a_steady_stream_the_share_is_kept() {
        let budget = RetryBudget::new(Share { percent: 20, min_per_second: 0 }, at(0.0));
        let mut retried = 0;
        // 100 a second that all fail, for a minute.
        for tick in 0..6_000 {
            budget.request();
            retried += u32::from(budget.allows(at(f64::from(tick) / 100.0)));
        }
        assert!((1_000..=1_300).contains(&retried), "{retried}");
    }

    #[test]
    fn what_is_long_past_counts_no_more() {
        let budget = RetryBudget::new(Share { percent: 20, min_per_second: 0 }, at(0.0));
        for _ in 0..10_000 {
            budget.request();
        }
        assert_eq!(allowed(&budget, 10_000, at(1_000.0)), 20, "ten a second, and nothing has failed so far");
        assert_eq!(allowed(&budget, 100, at(1_060.0)), 0, "a minute without requests");
        for _ in 0..1_000 {
            budget.request();
        }
        // A thousand in fifty seconds are two hundred in ten.
        assert_eq!(allowed(&budget, 1_000, at(1_110.0)), 40);
        assert_eq!(allowed(&budget, 1_000, at(1_110.0)), 0);
    }

    #[test]
    fn threads_count_together() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| tally.add()));
            }
        });
        assert!((1_000..=4_000).contains(&tally.total()), "{}", tally.total());
    }
}
