//! A store in memory: a concurrent map, and a wheel of expiry times.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::clock::Millis;
use crate::oauth::client::ClientId;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::token_store::{Found, Health, Pending, StoreError, TokenStore};
use crate::store::wheel::Wheel;

/// The number of shards. With more of them, their locks and tables are further apart in memory and lookups
/// get slower: at a million tokens, authorization costs a fifth less with 64 than with 1024. With fewer of
/// them, a shard that grows makes its readers wait longer: at ten million tokens, one of 64 moves some 5 MB.
const SHARDS: usize = 64;

/// A store in the memory of this process.
///
/// ```
/// use std::sync::Arc;
/// use tollgate::{ClientSpec, Gate, GateSpec};
/// use tollgate::store::{MemoryStore, TokenStore};
///
/// let store = Arc::new(MemoryStore::new(1_000_000));
/// let client = ClientSpec::with_id("server")?.scopes("read")?;
/// let gate = Gate::builder(GateSpec::default().client(client)).store(store.clone()).build()?;
/// let token = gate.issue_to("server", "read")?;
/// assert!(store.find(&token.digest()).known().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryStore {
    tokens: DashMap<TokenDigest, Record, BuildHasherDefault<DigestHasher>>,
    wheel: Wheel,
    kept: AtomicUsize,
    max_tokens: usize,
}

impl MemoryStore {
    /// Makes a store that keeps at most `max_tokens` tokens.
    #[must_use]
    pub fn new(max_tokens: usize) -> Self {
        Self {
            tokens: DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), SHARDS),
            wheel: Wheel::new(),
            kept: AtomicUsize::new(0),
            max_tokens,
        }
    }

    /// Stores a token, unless the limit is reached.
    pub(super) fn keep(&self, token: TokenDigest, record: Record) -> Result<(), StoreError> {
        let one_more = |kept: usize| (kept < self.max_tokens).then(|| kept + 1);
        self.kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| StoreError::Full)?;
        let expires = record.expires();
        if self.tokens.insert(token, record).is_some() {
            // The same token was inserted twice. This never happens by chance (256 random bits), but the
            // randomness of a test may cause it. The token counts once, and its first wheel entry is
            // harmless.
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
        self.wheel.insert(token, expires);
        Ok(())
    }

    /// Returns the number of stored tokens.
    #[cfg(feature = "journal")]
    pub(super) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Removes a token before it expires.
    pub(super) fn remove(&self, token: &TokenDigest) -> Option<Record> {
        let record = self.forget(token)?;
        for other in self.wheel.forget(token, record.expires()) {
            // The expiry is copied out, so that no guard is held while the wheel's lock is taken.
            let expires = self.tokens.get(&other).map(|record| record.expires());
            if let Some(expires) = expires {
                self.wheel.insert(other, expires);
            }
        }
        Some(record)
    }

    /// Removes all tokens, and passes each record to `forgotten`.
    #[cfg(feature = "redis")]
    pub(super) fn clear(&self, forgotten: &mut dyn FnMut(Record)) {
        // The entries in the wheel stay until their second is over, like those of revoked tokens.
        let tokens: Vec<TokenDigest> = self.tokens.iter().map(|token| *token.key()).collect();
        for token in tokens {
            self.forget(&token).into_iter().for_each(&mut *forgotten);
        }
    }

    fn forget(&self, token: &TokenDigest) -> Option<Record> {
        let (_, record) = self.tokens.remove(token)?;
        self.kept.fetch_sub(1, Ordering::Relaxed);
        Some(record)
    }
}

impl TokenStore for MemoryStore {
    fn find(&self, token: &TokenDigest) -> Found {
        self.tokens.get(token).map_or(Found::Unknown, |record| Found::Known(record.clone()))
    }

    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Found<()> {
        match self.tokens.get(token) {
            Some(record) => {
                look(&record);
                Found::Known(())
            }
            None => Found::Unknown,
        }
    }

    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        Pending::Ready(Ok(self.find(&token).known()))
    }

    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
        Pending::Ready(self.keep(token, record))
    }

    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        Pending::Ready(Ok(self.remove(&token)))
    }

    fn end_epoch(&self, _: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
        Pending::Ready(Ok(epoch))
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        let mut looked_at = 0;
        while looked_at < at_most {
            let Some(due) = self.wheel.take_due(now) else { return false };
            looked_at += due.len();
            for token in due {
                // If the token was issued again meanwhile, its record is not due yet and has another entry.
                let expired = self.tokens.get(&token).is_some_and(|record| record.expires() <= now);
                if let Some(record) = expired.then(|| self.forget(&token)).flatten() {
                    forgotten(record);
                }
            }
        }
        true
    }

    fn scan(&self, at_most: usize, look: &mut dyn FnMut(&Record)) -> bool {
        let mut records = self.tokens.iter();
        records.by_ref().take(at_most).for_each(|record| look(&record));
        records.next().is_none()
    }

    fn len(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    fn health(&self) -> Health {
        Health::Good
    }
}

/// Digests are uniformly distributed; hashing them again would cost more than the lookup.
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
