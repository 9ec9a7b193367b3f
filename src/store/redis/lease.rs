//! How long the tokens in memory are trusted without contact to the engine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock as _, Millis, SystemClock};

/// How far two threads' readings of the clock can be apart.
const STEP: u64 = 10;

/// The lease. The tokens in memory can be trusted if this process knows every revocation that is older than
/// one lease. That is the case until one lease after the last completed read of the log was sent.
///
/// It is measured on the clock of this process alone.
pub(super) struct Lease {
    clock: SystemClock,
    /// The time at which the tokens in memory stop being trusted, in milliseconds.
    until: AtomicU64,
    /// When the last completed read was sent.
    read: AtomicU64,
    /// How long a response of the engine is trusted.
    length: u64,
    /// How long the tokens in memory are trusted: the lease, or longer if the configuration accepts revoked
    /// tokens for a while.
    cached: u64,
}

impl Lease {
    pub(super) fn new(length: Duration, allow_cached: Duration) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let cached = millis(length.max(allow_cached));
        let (until, read) = Default::default();
        Self { clock: SystemClock::new(), until, read, length: millis(length), cached }
    }

    /// Returns whether the tokens in memory are trusted.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.clock.now().as_u64() < self.until.load(Ordering::Acquire)
    }

    /// Returns the present moment, for [`Self::extend`] and [`Self::covers`].
    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Extends the lease, after all entries that a read returned were applied. `sent` is a time before the
    /// read was sent.
    pub(super) fn extend(&self, sent: Millis) {
        self.read.fetch_max(sent.as_u64(), Ordering::Release);
        self.until
            .fetch_max(sent.as_u64().saturating_add(self.cached).saturating_sub(STEP), Ordering::AcqRel);
    }

    /// Ends the lease.
    pub(super) fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Returns whether the response to a query that was sent at `sent` is still trusted.
    pub(super) fn covers(&self, sent: Millis) -> bool {
        self.now().as_u64().saturating_add(STEP) < sent.as_u64().saturating_add(self.length)
    }

    /// Returns when the last completed read was sent, if it was within the lease.
    pub(super) fn last_read(&self) -> Option<Millis> {
        let read = Millis::new(self.read.load(Ordering::Acquire));
        (read.as_u64() > 0 && self.covers(read)).then_some(read)
    }

    /// Returns the time since the last completed read was sent, or `None` if there was none.
    pub(super) fn age(&self) -> Option<Duration> {
        match self.read.load(Ordering::Relaxed) {
            0 => None,
            read => Some(self.now().since(Millis::new(read))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn tokens_count_for_one_lease_after_the_read_was_sent() {
        let lease = Lease::new(HOUR, Duration::ZERO);
        assert!(!lease.is_held() && lease.age().is_none(), "nothing was read yet");
        let now = lease.now();
        lease.extend(now);
        assert!(lease.is_held());
        lease.end();
        assert!(!lease.is_held(), "it was ended");
        let before = |past: u64| Millis::new(now.as_u64() - past);
        let hour = 3_600_000;
        lease.extend(before(hour));
        assert!(!lease.is_held(), "the read was sent one lease ago");
        assert!(lease.age().is_some_and(|age| age < HOUR), "the latest read counts");
        lease.extend(before(hour / 2));
        assert!(lease.is_held());
        assert!(lease.covers(before(hour / 2)) && !lease.covers(before(hour)));
    }

    #[test]
    fn a_longer_use_of_memory_does_not_make_answers_count_longer() {
        let lease = Lease::new(Duration::from_millis(100), HOUR);
        let past = Millis::new(lease.now().as_u64() - 60_000);
        lease.extend(past);
        assert!(lease.is_held() && !lease.covers(past) && lease.last_read().is_none());
        let now = lease.now();
        lease.extend(now);
        assert_eq!(lease.last_read(), Some(now));
    }
}
