//! The revoked tokens that this gateway knows, stored until they would have expired.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Millis;
use crate::oauth::token::TokenDigest;

/// The revoked tokens. This gateway refuses them whatever the engine returns, and writes them again to an
/// engine that has lost them.
pub(super) struct Tombstones {
    inner: Mutex<Inner>,
    at_most: usize,
}

#[derive(Default)]
struct Inner {
    known: HashMap<TokenDigest, u64>,
    by_end: BinaryHeap<Reverse<(u64, [u8; 16])>>,
    /// The tombstones that the engine may lack.
    lacking: HashSet<TokenDigest>,
}

impl Tombstones {
    /// Makes a set of at most `at_most` tombstones. If there are more, those that expire first are removed
    /// first.
    pub(super) fn new(at_most: usize) -> Self {
        Self { inner: Mutex::default(), at_most }
    }

    /// Adds a revoked token that would have expired at `until`. Returns whether it is new.
    pub(super) fn add(&self, token: TokenDigest, until: Millis) -> bool {
        let until = until.as_u64();
        let mut inner = self.lock();
        let before = inner.known.get(&token).copied();
        if before.is_none_or(|before| until > before) {
            inner.known.insert(token, until);
            inner.by_end.push(Reverse((until, token.to_bytes())));
            if inner.known.len() > self.at_most {
                inner.forget_first();
            }
        }
        before.is_none()
    }

    /// Returns whether a token was revoked.
    pub(super) fn has(&self, token: &TokenDigest) -> bool {
        self.lock().known.contains_key(token)
    }

    /// Records that the engine may lack the tombstone of a token.
    pub(super) fn is_lacking(&self, token: TokenDigest) {
        let mut inner = self.lock();
        if inner.known.contains_key(&token) {
            inner.lacking.insert(token);
        }
    }

    /// Records that the engine has these tombstones.
    pub(super) fn are_carried_out<'a>(&self, tokens: impl Iterator<Item = &'a TokenDigest>) {
        let mut inner = self.lock();
        for token in tokens {
            inner.lacking.remove(token);
        }
    }

    /// Lists the tombstones with their expiry times: all, or those that the engine may lack.
    pub(super) fn list(&self, all: bool) -> Vec<(TokenDigest, Millis)> {
        let inner = self.lock();
        let entry = |token: &TokenDigest, until: &u64| (*token, Millis::new(*until));
        if all {
            return inner.known.iter().map(|(token, until)| entry(token, until)).collect();
        }
        inner.lacking.iter().filter_map(|token| Some(entry(token, inner.known.get(token)?))).collect()
    }

    /// Removes tokens that have expired at `now`, at most `at_most` of them.
    pub(super) fn sweep(&self, now: Millis, at_most: usize) {
        let mut inner = self.lock();
        for _ in 0..at_most {
            match inner.by_end.peek() {
                Some(Reverse((until, _))) if *until <= now.as_u64() => inner.forget_first(),
                _ => return,
            }
        }
    }

    /// Returns the number of tombstones.
    pub(super) fn len(&self) -> usize {
        self.lock().known.len()
    }

    /// A thread that panicked with the lock held left at worst a tombstone that is kept too long.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_first(&mut self) {
        let Some(Reverse((until, token))) = self.by_end.pop() else { return };
        let token = TokenDigest::from_bytes(token);
        // A tombstone whose expiry was extended also has a later entry.
        if self.known.get(&token) == Some(&until) {
            self.known.remove(&token);
            self.lacking.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u8) -> TokenDigest {
        TokenDigest::from_bytes([number; 16])
    }

    #[test]
    fn a_tombstone_is_kept_until_its_token_would_have_expired() {
        let tombstones = Tombstones::new(10);
        assert!(tombstones.add(token(1), Millis::new(100)));
        assert!(!tombstones.add(token(1), Millis::new(200)), "it is known");
        assert!(tombstones.add(token(2), Millis::new(150)));
        tombstones.is_lacking(token(1));
        tombstones.is_lacking(token(3));
        assert_eq!(tombstones.list(false), [(token(1), Millis::new(200))]);
        assert_eq!(tombstones.list(true).len(), 2);
        tombstones.sweep(Millis::new(150), 10);
        assert!(tombstones.has(&token(1)) && !tombstones.has(&token(2)));
        tombstones.are_carried_out([token(1)].iter());
        assert!(tombstones.list(false).is_empty() && tombstones.has(&token(1)));
        tombstones.sweep(Millis::new(200), 10);
        assert_eq!(tombstones.len(), 0);
    }

    #[test]
    fn there_is_a_limit() {
        let tombstones = Tombstones::new(2);
        for number in 1..=3 {
            tombstones.add(token(number), Millis::new(number.into()));
        }
        assert!(!tombstones.has(&token(1)) && tombstones.has(&token(2)) && tombstones.has(&token(3)));
    }
}
