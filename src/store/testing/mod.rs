//! The contract of [`TokenStore`] as a test that anyone's store can run.
//!
//! ```
//! use tollgate::store::{MemoryStore, testing};
//!
//! testing::check_contract(|max_tokens| MemoryStore::new(max_tokens));
//! ```
//!
//! [`Contract`] takes more: how the store is restarted, and how it is broken and mended.

mod lasting;
mod support;

use std::fmt;

use crate::clock::Millis;
use crate::store::testing::support::{find, grant, insert, insert_all, record, revoke, sweep, token, wait};
use crate::store::{Found, StoreError, TokenStore};

/// The lifetime of tokens, in milliseconds. No time passes for a store on the clock of the tests; another one
/// that measures lifetimes itself has to keep them until a check is over.
const LIFETIME: u64 = 3_600_000;

/// How many operations are begun before one is waited for.
const AT_ONCE: usize = 100;

/// Checks that a store in memory keeps the contract of [`TokenStore`]. It is [`Contract::check`] without a
/// restart and without faults.
///
/// # Panics
/// If the store breaks the contract, with the reason.
pub fn check_contract<S: TokenStore>(make: impl Fn(usize) -> S + 'static) {
    Contract::of(make).check();
}

/// The contract of a store, and what the checks need to know about it.
///
/// ```
/// use tollgate::store::{MemoryStore, testing::Contract};
///
/// Contract::of(MemoryStore::new).check();
/// ```
///
/// A store that needs a runtime is checked on a thread that has entered one, and that does not drive it.
pub struct Contract<S> {
    make: Box<dyn Fn(usize) -> S>,
    restart: Option<Box<dyn Fn(S) -> S>>,
    breaks: Option<Box<Breaks<S>>>,
}

/// Takes the ability to write from a store, and gives it back.
type Breaks<S> = dyn Fn(&S, bool);

impl<S: TokenStore> Contract<S> {
    /// Names the store. `make` returns an empty store with a limit of this many tokens. It is called several
    /// times.
    #[must_use]
    pub fn of(make: impl Fn(usize) -> S + 'static) -> Self {
        Self { make: Box::new(make), restart: None, breaks: None }
    }

    /// Adds the checks of a store that lasts. `restart` ends a store, after it has written what it writes
    /// behind, and opens it again with the same limit.
    #[must_use]
    pub fn restart(mut self, restart: impl Fn(S) -> S + 'static) -> Self {
        self.restart = Some(Box::new(restart));
        self
    }

    /// Adds the checks of a store that can break. `breaks` takes the ability to write from a store (`true`),
    /// and gives it back (`false`).
    #[must_use]
    pub fn faults(mut self, breaks: impl Fn(&S, bool) + 'static) -> Self {
        self.breaks = Some(Box::new(breaks));
        self
    }

    /// Checks what the store finds and forgets, its limit, its expiry, the size of its sweeps, its use by
    /// several threads, and what was added.
    ///
    /// # Panics
    /// If the store breaks the contract, with the reason.
    pub fn check(&self) {
        let make = &self.make;
        finds_what_it_keeps(&make(10));
        has_a_hard_limit_and_forgets_what_expires(&make(10));
        sweeps_in_slices(&make(10_000));
        is_shared_between_threads(&make(100_000));
        if let Some(restart) = &self.restart {
            lasting::keeps_its_promises_over_a_restart(make(100_000), restart);
        }
        if let Some(breaks) = &self.breaks {
            lasting::says_when_it_cannot_promise(&make(100_000), breaks);
        }
    }
}

impl<S> fmt::Debug for Contract<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").finish_non_exhaustive()
    }
}

fn finds_what_it_keeps(store: &dyn TokenStore) {
    let grant = grant(LIFETIME);
    assert!(store.is_empty(), "a new store is empty");
    assert!(find(store, 1).is_none(), "a new store finds nothing");
    insert(store, 1, &grant, 500);
    let found = find(store, 1).map(|record| record.expires());
    assert_eq!(found, Some(Millis::new(LIFETIME + 500)), "a token is found as it was inserted");
    let mut shown = Vec::new();
    match store.look(&token(1), &mut |record| shown.push(record.expires())) {
        Found::Known(()) => assert_eq!(shown, [Millis::new(LIFETIME + 500)], "a look shows the same record"),
        Found::Ask => assert!(shown.is_empty(), "a look that ends in a question shows nothing"),
        Found::Unknown => panic!("a look finds the token too"),
    }
    let looked = store.look(&token(2), &mut |_| panic!("a look shows no record of another token"));
    assert_ne!(looked, Found::Known(()), "a look finds no other token");
    assert!(find(store, 2).is_none(), "another token is not found");
    assert!(revoke(store, 1).is_some(), "revoking a token returns its record");
    assert!(find(store, 1).is_none(), "a revoked token is not found");
    assert!(revoke(store, 1).is_none(), "a token is revoked once");
    assert_eq!(store.len(), 0, "a revoked token is not counted");
}

fn has_a_hard_limit_and_forgets_what_expires(store: &dyn TokenStore) {
    let grant = grant(LIFETIME);
    for number in 0..10 {
        insert(store, number, &grant, 0);
    }
    let full = wait(store.insert(token(10), record(&grant, 0)));
    assert_eq!(full, Err(StoreError::Full), "a token beyond the limit is refused");
    assert!((0..10).all(|number| find(store, number).is_some()), "no token is evicted to make room");
    revoke(store, 3);
    insert(store, 10, &grant, 0);

    assert_eq!(sweep(store, LIFETIME - 1), 0, "no token is forgotten before it expires");
    assert_eq!(
        sweep(store, LIFETIME + 2_000),
        10,
        "every token is forgotten within two seconds of its expiry"
    );
    assert_eq!((store.len(), sweep(store, 2 * LIFETIME)), (0, 0), "a token is forgotten once");
}

fn sweeps_in_slices(store: &dyn TokenStore) {
    let grant = grant(LIFETIME);
    insert_all(store, 0..5_000, &grant, 0);
    let mut forgotten = 0;
    let more = store.sweep(Millis::new(2 * LIFETIME), 100, &mut |_| forgotten += 1);
    assert!(more, "a sweep of a slice reports that more tokens are waiting");
    assert!((100..400).contains(&forgotten), "a slice of 100 tokens forgot {forgotten}");
    assert_eq!(sweep(store, 2 * LIFETIME), 5_000 - forgotten, "later sweeps forget the rest");

    insert_all(store, 10_000..15_000, &grant, LIFETIME);
    // Several at once, because each takes its time in a store that others share.
    for first in (10_000..14_900).step_by(AT_ONCE) {
        let revoked: Vec<_> =
            (first..first + AT_ONCE as u64).map(|number| store.revoke(token(number))).collect();
        for revoked in revoked {
            assert!(matches!(wait(revoked), Ok(Some(_))), "revoking a token returns its record");
        }
    }
    let kept = (14_900..15_000).all(|number| find(store, number).is_some());
    assert!(kept, "revoking most tokens of one second loses none of the others");
    assert_eq!(sweep(store, 3 * LIFETIME), 100, "the others are forgotten when they expire");
    assert!(store.is_empty(), "nothing is left");
}

fn is_shared_between_threads(store: &dyn TokenStore) {
    let grant = grant(LIFETIME);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let grant = &grant;
            scope.spawn(move || {
                for first in (0..2_000).step_by(AT_ONCE) {
                    let mut revoked = Vec::new();
                    for number in first..first + AT_ONCE as u64 {
                        let name = thread * 1_000_000 + number;
                        insert(store, name, grant, number);
                        assert!(find(store, name).is_some(), "a token is found as soon as it is inserted");
                        if number % 2 == 0 {
                            revoked.push(store.revoke(token(name)));
                        }
                    }
                    for revoked in revoked {
                        assert!(matches!(wait(revoked), Ok(Some(_))), "a token is revoked by one thread");
                    }
                }
            });
        }
    });
    assert_eq!(store.len(), 4_000, "the count is right after concurrent changes");
    assert_eq!(sweep(store, 2 * LIFETIME), 4_000, "all of them are forgotten");
    assert!(store.is_empty(), "nothing is left");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::ClientId;
    use crate::oauth::grant::Record;
    use crate::oauth::token::TokenDigest;
    use crate::store::{Health, MemoryStore, Pending};

    #[test]
    fn the_memory_store_keeps_the_contract() {
        check_contract(MemoryStore::new);
    }

    /// Evicts the oldest token instead of refusing a new one.
    struct Evicting(MemoryStore);

    impl TokenStore for Evicting {
        fn find(&self, token: &TokenDigest) -> Found {
            self.0.find(token)
        }

        fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
            self.0.ask(token)
        }

        fn insert(&self, new: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
            if self.0.len() == 10 {
                drop(self.0.revoke(token(0)));
            }
            self.0.insert(new, record)
        }

        fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
            self.0.revoke(token)
        }

        fn end_epoch(&self, client: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
            self.0.end_epoch(client, epoch)
        }

        fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
            self.0.sweep(now, at_most, forgotten)
        }

        fn len(&self) -> usize {
            self.0.len()
        }

        fn health(&self) -> Health {
            self.0.health()
        }
    }

    #[test]
    #[should_panic(expected = "a token beyond the limit is refused")]
    fn a_store_that_evicts_breaks_the_contract() {
        check_contract(|max| Evicting(MemoryStore::new(max)));
    }
}
