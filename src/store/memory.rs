//! Tokens in this process's memory: a concurrent map, and a wheel that knows what expires when.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use super::wheel::Wheel;
use super::{StoreError, TokenStore};
use crate::clock::Millis;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;

/// A look-up pays for every shard there is: the more, the further apart their locks and tables lie in memory (at a
/// million tokens, header to permit costs a fifth less with 64 than with 1024). A shard that grows moves all it holds
/// while its readers wait, so there must not be too few: at ten million tokens one of 64 moves some 5 MB.
const SHARDS: usize = 64;

/// The store of a single gateway.
///
/// ```
/// use std::sync::Arc;
/// use tollgate::gate::{ClientSpec, Gate, GateSpec};
/// use tollgate::store::{MemoryStore, TokenStore};
///
/// let store = Arc::new(MemoryStore::new(1_000_000));
/// let client = ClientSpec::with_id("server")?.scopes(["read"])?;
/// let gate = Gate::builder(GateSpec::default().client(client)).store(store.clone()).build()?;
/// let token = gate.issue_to("server", ["read"])?;
/// assert!(store.find(&token.digest())?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryStore {
    tokens: DashMap<TokenDigest, Record, BuildHasherDefault<DigestHasher>>,
    wheel: Wheel,
    kept: AtomicUsize,
    max_tokens: usize,
}

impl MemoryStore {
    /// A store that keeps at most `max_tokens` tokens.
    #[must_use]
    pub fn new(max_tokens: usize) -> Self {
        Self {
            tokens: DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), SHARDS),
            wheel: Wheel::new(),
            kept: AtomicUsize::new(0),
            max_tokens,
        }
    }

    fn forget(&self, token: &TokenDigest) -> Option<Record> {
        let (_, record) = self.tokens.remove(token)?;
        self.kept.fetch_sub(1, Ordering::Relaxed);
        Some(record)
    }
}

impl TokenStore for MemoryStore {
    fn insert(&self, token: TokenDigest, record: Record) -> Result<(), StoreError> {
        let one_more = |kept: usize| (kept < self.max_tokens).then(|| kept + 1);
        self.kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| StoreError::Full)?;
        let expires = record.expires();
        if self.tokens.insert(token, record).is_some() {
            // The same token twice: never by chance (256 random bits), but a user's own clock and randomness
            // may do it. It counts once, and its first wheel entry is harmless.
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
        self.wheel.insert(token, expires);
        Ok(())
    }

    fn find(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError> {
        Ok(self.tokens.get(token).map(|record| record.clone()))
    }

    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Result<bool, StoreError> {
        let record = self.tokens.get(token);
        if let Some(record) = &record {
            look(record);
        }
        Ok(record.is_some())
    }

    fn remove(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError> {
        let Some(record) = self.forget(token) else { return Ok(None) };
        for other in self.wheel.forget(token, record.expires()) {
            // No guard is held while the wheel's lock is taken: the expiry is copied out first.
            let expires = self.tokens.get(&other).map(|record| record.expires());
            if let Some(expires) = expires {
                self.wheel.insert(other, expires);
            }
        }
        Ok(Some(record))
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        let mut looked_at = 0;
        while looked_at < at_most {
            let Some(due) = self.wheel.take_due(now) else { return false };
            looked_at += due.len();
            for token in due {
                // Issued again meanwhile, or not yet due by the record itself: then it has its own entry.
                let expired = self.tokens.get(&token).is_some_and(|record| record.expires() <= now);
                if let Some(record) = expired.then(|| self.forget(&token)).flatten() {
                    forgotten(record);
                }
            }
        }
        true
    }

    fn len(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }
}

/// A digest is uniformly distributed already; hashing it again would cost more than the look-up.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A digest hashes itself as one word (`write_u64`), and nothing else is a key here.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}
