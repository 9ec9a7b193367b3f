//! Answers that are used again for a stated time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;

/// A bounded cache of active tokens, by the moment at which the endpoint was asked.
///
/// Only tokens that the endpoint has called active are kept, so requests with invented tokens cannot fill it.
/// All entries go stale in the order in which they were made; at the bound, the oldest is dropped.
pub(super) struct Cache {
    staleness: Duration,
    max_entries: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    records: HashMap<TokenDigest, (Millis, Record)>,
    by_age: VecDeque<(Millis, TokenDigest)>,
}

impl Cache {
    /// Makes a cache whose answers are used for `staleness`. Zero turns it off.
    pub(super) fn new(staleness: Duration, max_entries: usize) -> Self {
        Self { staleness, max_entries, entries: Mutex::default() }
    }

    /// Returns the answer about a token, unless it is stale or the token has expired.
    pub(super) fn find(&self, digest: &TokenDigest, now: Millis) -> Option<Record> {
        if !self.is_on() {
            return None;
        }
        let entries = self.lock();
        let (asked, record) = entries.records.get(digest)?;
        (self.is_fresh(*asked, now) && record.is_live(now)).then(|| record.clone())
    }

    /// Remembers the answer about an active token, which the endpoint was asked for at `asked`.
    pub(super) fn insert(&self, digest: TokenDigest, asked: Millis, record: Record, now: Millis) {
        if !self.is_on() {
            return;
        }
        let mut entries = self.lock();
        entries.records.insert(digest, (asked, record));
        entries.by_age.push_back((asked, digest));
        while let Some((asked, digest)) = entries.by_age.front().copied() {
            if entries.by_age.len() <= self.max_entries && self.is_fresh(asked, now) {
                break;
            }
            entries.by_age.pop_front();
            // A token that was asked about again has a later entry.
            if entries.records.get(&digest).is_some_and(|(latest, _)| *latest == asked) {
                entries.records.remove(&digest);
            }
        }
    }

    /// Drops the answer about a token.
    pub(super) fn remove(&self, digest: &TokenDigest) {
        if self.is_on() {
            self.lock().records.remove(digest);
        }
    }

    fn is_on(&self) -> bool {
        !self.staleness.is_zero() && self.max_entries > 0
    }

    fn is_fresh(&self, asked: Millis, now: Millis) -> bool {
        now.since(asked) < self.staleness
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::remote::answer;
    use crate::oauth::token::AccessToken;

    fn digest(number: u8) -> TokenDigest {
        AccessToken::from_random(&[number; 32]).digest()
    }

    fn record(lifetime: u64) -> Record {
        let text = format!(r#"{{"active":true,"client_id":"server","exp":{lifetime}}}"#);
        answer::read(text.as_bytes(), Millis::new(0), Duration::ZERO).unwrap().unwrap()
    }

    #[test]
    fn an_answer_is_used_until_it_is_stale_or_the_token_expires() {
        let cache = Cache::new(Duration::from_secs(5), 10);
        cache.insert(digest(1), Millis::new(1_000), record(299), Millis::new(1_200));
        cache.insert(digest(2), Millis::new(1_000), record(3), Millis::new(1_200));
        let found = |number, now| cache.find(&digest(number), Millis::new(now)).is_some();
        assert!(found(1, 5_999) && !found(1, 6_000), "the time begins with the introspection");
        assert!(found(2, 2_999) && !found(2, 3_000), "it ends with the token");
        cache.remove(&digest(1));
        assert!(!found(1, 1_000));
    }

    #[test]
    fn a_staleness_of_zero_remembers_nothing() {
        let cache = Cache::new(Duration::ZERO, 10);
        cache.insert(digest(1), Millis::new(0), record(299), Millis::new(0));
        assert!(cache.find(&digest(1), Millis::new(0)).is_none());
        assert!(cache.lock().records.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_answer_is_dropped_first() {
        let cache = Cache::new(Duration::from_secs(5), 10);
        for number in 0..100 {
            for _ in 0..3 {
                let asked = Millis::new(u64::from(number));
                cache.insert(digest(number), asked, record(299), asked);
            }
            let entries = cache.lock();
            assert!(entries.records.len() <= 10 && entries.by_age.len() <= 10);
        }
        assert!(cache.find(&digest(99), Millis::new(99)).is_some());
        assert!(cache.find(&digest(50), Millis::new(99)).is_none());
        cache.insert(digest(200), Millis::new(60_000), record(299), Millis::new(60_000));
        assert_eq!(cache.lock().by_age.len(), 1, "stale answers are dropped with the next one");
    }
}
