//! The schedule of the fetches of a key set.

use std::time::Duration;

use crate::clock::Millis;

/// How long a fetched set is used before the next fetch. A tenth of it is jitter, so that gateways started
/// together do not fetch together.
const INTERVAL: Duration = Duration::from_secs(300);
/// The shortest time between two fetches that signatures by unknown keys cause. Strangers can send such
/// signatures.
const ON_DEMAND: Duration = Duration::from_secs(60);
/// The wait after the first failure. It doubles with each further failure, up to [`INTERVAL`].
const RETRY: Duration = Duration::from_secs(2);

/// The schedule of one key set. It does not read a clock: the time is passed in.
pub(super) struct Schedule {
    /// When the last fetch began.
    began: Millis,
    /// When the next fetch is due.
    pub(super) next: Millis,
    /// The earliest time for a fetch on demand.
    next_on_demand: Millis,
    /// How many fetches have failed since the last success.
    pub(super) failures: u32,
    is_fetching: bool,
}

impl Schedule {
    pub(super) fn new(now: Millis) -> Self {
        Self { began: now, next: now, next_on_demand: now, failures: 0, is_fetching: false }
    }

    pub(super) fn is_due(&self, now: Millis, wanted: bool) -> bool {
        !self.is_fetching && (now >= self.next || (wanted && now >= self.next_on_demand))
    }

    /// Returns how long to wait until a fetch is due, or `None` while one runs.
    pub(super) fn wait(&self, now: Millis, wanted: bool) -> Option<Duration> {
        let due = if wanted { self.next.min(self.next_on_demand) } else { self.next };
        (!self.is_fetching).then(|| due.since(now))
    }

    pub(super) fn begin(&mut self, now: Millis, on_demand: bool) {
        self.began = now;
        self.is_fetching = true;
        if on_demand {
            self.next_on_demand = now.after(ON_DEMAND);
        }
    }

    /// Records the end of a fetch. `random` spreads the next fetch over a fifth of the interval.
    pub(super) fn end(&mut self, good: bool, random: u16) {
        self.is_fetching = false;
        self.failures = if good { 0 } else { self.failures.saturating_add(1) };
        let wait = match self.failures {
            0 => INTERVAL,
            failures => RETRY.saturating_mul(1 << (failures - 1).min(16)).min(INTERVAL),
        };
        let tenth = wait / 10;
        self.next = self.began.after(wait - tenth + tenth * 2 * u32::from(random) / u32::from(u16::MAX));
    }
}
