//! The tokens that this gateway has issued last. They are written again to an engine that has lost them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;

/// How long a token is recent.
const RECENT: Duration = Duration::from_secs(30);
/// The maximum number of tokens in the list: 30 s at 8,000 tokens per second.
const MOST: usize = 240_000;

#[derive(Default)]
pub(super) struct Recent(Mutex<VecDeque<(Millis, TokenDigest, Record)>>);

impl Recent {
    pub(super) fn add(&self, now: Millis, token: TokenDigest, record: Record) {
        let mut tokens = self.lock();
        tokens.push_back((now, token, record));
        if tokens.len() > MOST {
            tokens.pop_front();
        }
        // Two entries are removed at a time, so that the queue becomes shorter after a burst.
        for _ in 0..2 {
            match tokens.front() {
                Some((issued, ..)) if now.since(*issued) > RECENT => drop(tokens.pop_front()),
                _ => break,
            }
        }
    }

    /// Removes tokens that are no longer recent.
    pub(super) fn sweep(&self, now: Millis) {
        let mut tokens = self.lock();
        while tokens.front().is_some_and(|(issued, ..)| now.since(*issued) > RECENT) {
            tokens.pop_front();
        }
    }

    /// Lists the recent tokens that are valid.
    pub(super) fn list(&self, now: Millis) -> Vec<(TokenDigest, Record)> {
        let tokens = self.lock();
        let valid = tokens.iter().filter(|(.., record)| record.is_live(now));
        valid.map(|(_, token, record)| (*token, record.clone())).collect()
    }

    /// A thread that panicked with the lock held left the queue whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Millis, TokenDigest, Record)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
