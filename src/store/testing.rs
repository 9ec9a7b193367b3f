//! The contract of [`TokenStore`] as a test that anyone's store can run.
//!
//! ```
//! use tollgate::store::{MemoryStore, testing};
//!
//! testing::check_contract(|max_tokens| MemoryStore::new(max_tokens));
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Grant, Record, Terms};
use crate::oauth::scope::Scopes;
use crate::oauth::token::{AccessToken, TokenDigest};
use crate::store::{StoreError, TokenStore};

/// Checks that a store keeps the contract of [`TokenStore`]: what it finds and forgets, its limit, its expiry, the size of
/// its sweeps, and its use by several threads.
///
/// `make` returns an empty store with a limit of this many tokens. It is called several times.
///
/// # Panics
/// If the store breaks the contract, with the reason.
pub fn check_contract<S: TokenStore>(make: impl Fn(usize) -> S) {
    finds_what_it_keeps(&make(10));
    has_a_hard_limit_and_forgets_what_expires(&make(10));
    sweeps_in_slices(&make(10_000));
    is_shared_between_threads(&make(100_000));
}

fn finds_what_it_keeps(store: &dyn TokenStore) {
    let grant = grant(10_000);
    assert!(store.is_empty(), "a new store is empty");
    assert!(find(store, 1).is_none(), "a new store finds nothing");
    insert(store, 1, &grant, 500);
    let found = find(store, 1).map(|record| record.expires());
    assert_eq!(found, Some(Millis::new(10_500)), "a token is found as it was inserted");
    let mut shown = Vec::new();
    let looked = store.look(&token(1), &mut |record| shown.push(record.expires()));
    assert_eq!((looked, shown), (Ok(true), vec![Millis::new(10_500)]), "a look shows the same record");
    let looked = store.look(&token(2), &mut |_| panic!("a look shows no record of another token"));
    assert_eq!(looked, Ok(false), "a look tells that there is no record");
    assert!(remove(store, 1).is_some(), "removing a token returns its record");
    assert!(find(store, 1).is_none(), "a removed token is not found");
    assert!(remove(store, 1).is_none(), "a token is removed once");
    assert_eq!(store.len(), 0, "a removed token is not counted");
}

fn has_a_hard_limit_and_forgets_what_expires(store: &dyn TokenStore) {
    let grant = grant(10_000);
    for number in 0..10 {
        insert(store, number, &grant, 0);
    }
    let full = store.insert(token(10), record(&grant, 0));
    assert_eq!(full, Err(StoreError::Full), "a token beyond the limit is refused");
    assert!((0..10).all(|number| find(store, number).is_some()), "no token is evicted to make room");
    remove(store, 3);
    insert(store, 10, &grant, 0);

    assert_eq!(sweep(store, 9_999), 0, "no token is forgotten before it expires");
    assert_eq!(sweep(store, 12_000), 10, "every token is forgotten within two seconds of its expiry");
    assert_eq!((store.len(), sweep(store, 20_000)), (0, 0), "a token is forgotten once");
}

fn sweeps_in_slices(store: &dyn TokenStore) {
    let grant = grant(10_000);
    for number in 0..5_000 {
        insert(store, number, &grant, 0);
    }
    let mut forgotten = 0;
    let more = store.sweep(Millis::new(60_000), 100, &mut |_| forgotten += 1);
    assert!(more, "a sweep of a slice reports that more tokens are waiting");
    assert!((100..400).contains(&forgotten), "a slice of 100 tokens forgot {forgotten}");
    assert_eq!(sweep(store, 60_000), 5_000 - forgotten, "later sweeps forget the rest");

    for number in 0..5_000 {
        insert(store, number, &grant, 100_000);
    }
    for number in 0..4_900 {
        remove(store, number);
    }
    let kept = (4_900..5_000).all(|number| find(store, number).is_some());
    assert!(kept, "removing most tokens of one second loses none of the others");
    assert_eq!(sweep(store, 200_000), 100, "the others are forgotten when they expire");
    assert!(store.is_empty(), "nothing is left");
}

fn is_shared_between_threads(store: &dyn TokenStore) {
    let grant = grant(1_000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let grant = &grant;
            scope.spawn(move || {
                for number in 0..2_000 {
                    let token = thread * 1_000_000 + number;
                    insert(store, token, grant, number);
                    assert!(find(store, token).is_some(), "a token is found as soon as it is inserted");
                    if number % 2 == 0 {
                        assert!(remove(store, token).is_some(), "a token is removed by one thread");
                    }
                }
            });
        }
    });
    assert_eq!(store.len(), 4_000, "the count is right after concurrent changes");
    assert_eq!(sweep(store, 100_000), 4_000, "all of them are forgotten");
    assert!(store.is_empty(), "nothing is left");
}

/// Makes a grant of tokens that live this many milliseconds.
fn grant(lifetime: u64) -> Arc<Grant> {
    let Some(id) = ClientId::new("server") else { unreachable!("the id is well-formed") };
    let lifetime = Duration::from_millis(lifetime);
    let terms = Terms { scopes: Scopes::none(), lifetime, audience: None, confirmation: None };
    Arc::new(Grant::new(ClientState::new(id), 0, terms))
}

fn token(number: u64) -> TokenDigest {
    let mut random = [0; 32];
    random[..8].copy_from_slice(&number.to_be_bytes());
    AccessToken::from_random(&random).digest()
}

fn record(grant: &Arc<Grant>, issued: u64) -> Record {
    Record::new(Arc::clone(grant), Millis::new(issued))
}

#[track_caller]
fn insert(store: &dyn TokenStore, number: u64, grant: &Arc<Grant>, issued: u64) {
    let inserted = store.insert(token(number), record(grant, issued));
    assert_eq!(inserted, Ok(()), "the store accepts a token within its limit");
}

#[track_caller]
fn find(store: &dyn TokenStore, number: u64) -> Option<Record> {
    match store.find(&token(number)) {
        Ok(found) => found,
        Err(error) => panic!("the store cannot find: {error}"),
    }
}

#[track_caller]
fn remove(store: &dyn TokenStore, number: u64) -> Option<Record> {
    match store.remove(&token(number)) {
        Ok(removed) => removed,
        Err(error) => panic!("the store cannot remove: {error}"),
    }
}

/// Sweeps until no more tokens are due. Returns how many were forgotten.
fn sweep(store: &dyn TokenStore, now: u64) -> usize {
    let mut forgotten = 0;
    while store.sweep(Millis::new(now), 100, &mut |_| forgotten += 1) {}
    forgotten
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[test]
    fn the_memory_store_keeps_the_contract() {
        check_contract(MemoryStore::new);
    }

    /// Evicts the oldest token instead of refusing a new one.
    struct Evicting(MemoryStore);

    impl TokenStore for Evicting {
        fn insert(&self, token_: TokenDigest, record: Record) -> Result<(), StoreError> {
            if self.0.len() == 10 {
                self.0.remove(&token(0))?;
            }
            self.0.insert(token_, record)
        }

        fn find(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError> {
            self.0.find(token)
        }

        fn remove(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError> {
            self.0.remove(token)
        }

        fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
            self.0.sweep(now, at_most, forgotten)
        }

        fn len(&self) -> usize {
            self.0.len()
        }
    }

    #[test]
    #[should_panic(expected = "a token beyond the limit is refused")]
    fn a_store_that_evicts_breaks_the_contract() {
        check_contract(|max| Evicting(MemoryStore::new(max)));
    }
}
