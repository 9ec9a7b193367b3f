//! The tokens grouped by the second in which they expire, so that the cost of expiry depends only on the
//! tokens that expire.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Millis;
use crate::oauth::token::TokenDigest;

/// The number of shards: enough that issuing threads rarely contend.
const SHARDS: usize = 64;
/// The number of digests in a chunk. A list of chunks wastes at most one chunk; a growing vector wastes up to
/// half of itself.
const CHUNK: usize = 128;
/// The smallest bucket that is compacted.
const WORTH_COMPACTING: usize = 64;

/// Sharded buckets of token digests, by the second in which they expire.
pub(super) struct Wheel {
    shards: Box<[Mutex<BTreeMap<u64, Bucket>>]>,
}

#[derive(Default)]
struct Bucket {
    chunks: Vec<Vec<TokenDigest>>,
    entries: usize,
    /// The number of entries whose token was revoked.
    stale: usize,
}

impl Bucket {
    fn push(&mut self, token: TokenDigest) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(token),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(token);
                self.chunks.push(chunk);
            }
            // The first chunk starts small, because most seconds of most shards hold few tokens.
            None => self.chunks.push(vec![token]),
        }
        self.entries += 1;
    }

    fn is_mostly_stale(&self) -> bool {
        self.entries >= WORTH_COMPACTING && self.stale * 2 > self.entries
    }
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Adds a token that expires at `expires`.
    pub(super) fn insert(&self, token: TokenDigest, expires: Millis) {
        self.shard(&token).entry(second(expires)).or_default().push(token);
    }

    /// Marks the entry of a token as stale, because the token was removed before it expired. Returns tokens
    /// whose entries were dropped by a compaction: the caller inserts those that are still live again.
    pub(super) fn forget(&self, token: &TokenDigest, expires: Millis) -> Vec<TokenDigest> {
        let mut shard = self.shard(token);
        let Some(bucket) = shard.get_mut(&second(expires)) else { return Vec::new() };
        bucket.stale += 1;
        if !bucket.is_mostly_stale() {
            return Vec::new();
        }
        // Half of the entries are stale, so the cost of this pass is amortized over the removals since the
        // last one.
        shard.remove(&second(expires)).map(|bucket| bucket.chunks.concat()).unwrap_or_default()
    }

    /// Returns up to one chunk of tokens whose second is over at `now`, and removes them.
    pub(super) fn take_due(&self, now: Millis) -> Option<Vec<TokenDigest>> {
        // A token of second s expires before s + 1 begins.
        let due = |second: u64| second < now.as_u64() / 1000;
        self.shards.iter().find_map(|shard| {
            let mut shard = lock(shard);
            let mut first = shard.first_entry()?;
            if !due(*first.key()) {
                return None;
            }
            let chunk = first.get_mut().chunks.pop();
            if first.get().chunks.is_empty() {
                first.remove();
            }
            chunk
        })
    }

    fn shard(&self, token: &TokenDigest) -> MutexGuard<'_, BTreeMap<u64, Bucket>> {
        // The lower bits, because the table of tokens uses the upper ones for its own shards.
        let at = usize::try_from(token.hash_bits() % SHARDS as u64).unwrap_or_default();
        lock(&self.shards[at])
    }
}

fn second(expires: Millis) -> u64 {
    expires.as_u64() / 1000
}

/// Locks a shard. A thread that panicked with the lock held left at worst an entry too many or too few, which
/// costs memory until the second is over and never affects a decision.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
