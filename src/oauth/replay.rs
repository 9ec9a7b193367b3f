//! A bounded memory of what was used once: the `jti` of client assertions (RFC 7523 §3, 7) and DPoP proofs (RFC 9449
//! §11.1).
//!
//! It fails closed. An entry is kept until what it names would be refused as expired anyway, never a moment less; when
//! there is no room, the newcomer is refused, and nothing is forgotten for it. One owner has its own smaller bound, so
//! that a client which floods it locks itself out and nobody else.

use super::thumbprint::Thumbprint;
use sha2::{Digest as _, Sha256};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, hash_map::Entry};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whose names these are: a `jti` is unique among those of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A client, for its assertions.
    Client(&'a str),
    /// A key, for its DPoP proofs.
    Key(&'a Thumbprint),
}

/// Why something may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// It was used before.
    Seen,
    /// It may have been used before: its time is over, so that it would have been forgotten.
    Expired,
    /// This owner has as many names in memory as it may.
    OwnerFull,
    /// The memory is full.
    Full,
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Names in all. One takes about 100 bytes.
    pub total: usize,
    /// Names of one owner.
    pub per_owner: usize,
}

/// The memory.
pub struct ReplayMemory {
    shards: Box<[Mutex<Shard>]>,
    /// Names held in all shards.
    held: AtomicUsize,
    capacity: Capacity,
    /// Makes places in the tables unpredictable, so that nobody can choose names that crowd one of them.
    seed: [u8; 32],
}

/// All names of an owner are in one shard, so its count is there too.
#[derive(Default)]
struct Shard {
    seen: HashSet<Name, Digested>,
    owners: HashMap<u64, usize, Digested>,
    by_expiry: BinaryHeap<Reverse<(u64, u64, Name)>>,
    /// The latest expiry that was forgotten. After the clock stepped back, what expires before it might be replayed.
    forgotten: u64,
}

/// A name, as a keyed digest of its owner and itself.
type Name = u128;

/// Digests need no hashing again.
type Digested = BuildHasherDefault<TakeAsIs>;

const SHARDS: usize = 16;

/// Expired names that one call clears at most: more than the one it may add, so the memory never falls behind.
const SWEEP: usize = 4;

impl ReplayMemory {
    /// An empty memory. `seed` should be random and differ in each process.
    #[must_use]
    pub fn new(capacity: Capacity, seed: [u8; 32]) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, held: AtomicUsize::new(0), capacity, seed }
    }

    /// Remembers the name until `expires`, if it is not remembered yet. Times are Unix milliseconds; `expires` is the
    /// moment from which on the thing itself would be refused.
    ///
    /// # Errors
    /// Whatever keeps it from being known as new; then it must not be used.
    pub fn check_and_remember(
        &self,
        owner: Owner<'_>,
        name: &str,
        expires: u64,
        now: u64,
    ) -> Result<(), Replay> {
        let (owner, name) = self.digests(owner, name);
        let mut shard = self.shard(owner);
        self.release(shard.sweep(now));
        if self.len() >= self.capacity.total {
            // Others may be sitting on what expired long ago: their shards are swept when they are used, or now.
            drop(shard);
            for shard in &self.shards {
                self.release(lock(shard).sweep(now));
            }
            shard = self.shard(owner);
        }
        shard.check(owner, name, expires, now, self.capacity.per_owner)?;
        // The place is taken before it is used, so that no race can go beyond the bound.
        if self.held.fetch_add(1, Ordering::Relaxed) >= self.capacity.total {
            self.release(1);
            return Err(Replay::Full);
        }
        shard.remember(owner, name, expires);
        Ok(())
    }

    /// How many names are held, expired ones that were not swept yet among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn release(&self, count: usize) {
        self.held.fetch_sub(count, Ordering::Relaxed);
    }

    fn shard(&self, owner: u64) -> MutexGuard<'_, Shard> {
        // The top bits: hash tables use the low ones. `SHARDS` of them exist, so the place always does.
        lock(&self.shards[(owner >> 32) as usize % SHARDS])
    }

    fn digests(&self, owner: Owner<'_>, name: &str) -> (u64, Name) {
        let (kind, owner) = match owner {
            Owner::Client(id) => (b'c', id.as_bytes()),
            Owner::Key(thumbprint) => (b'k', &thumbprint.as_bytes()[..]),
        };
        let whose = Sha256::new().chain_update(self.seed).chain_update([kind]).chain_update(owner);
        // The owner's digest goes in whole, so that no owner and name can be read as another owner and name.
        let whose: [u8; 32] = whose.finalize().into();
        let which: [u8; 32] = Sha256::new().chain_update(whose).chain_update(name).finalize().into();
        (first_of(&whose) as u64, first_of(&which))
    }
}

fn first_of(digest: &[u8; 32]) -> u128 {
    digest.iter().take(16).fold(0, |value, octet| value << 8 | u128::from(*octet))
}

/// A thread that panicked under the lock left at worst a name that is remembered and not counted.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Forgets some of what expired; says how many.
    fn sweep(&mut self, now: u64) -> usize {
        let mut cleared = 0;
        while cleared < SWEEP {
            match self.by_expiry.peek() {
                Some(Reverse((expires, ..))) if *expires <= now => {}
                _ => break,
            }
            let Some(Reverse((expires, owner, name))) = self.by_expiry.pop() else { break };
            self.seen.remove(&name);
            if let Entry::Occupied(mut count) = self.owners.entry(owner) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
            self.forgotten = self.forgotten.max(expires);
            cleared += 1;
        }
        cleared
    }

    fn check(&self, owner: u64, name: Name, expires: u64, now: u64, per_owner: usize) -> Result<(), Replay> {
        if self.seen.contains(&name) {
            return Err(Replay::Seen);
        }
        if expires <= now || expires <= self.forgotten {
            return Err(Replay::Expired);
        }
        if self.owners.get(&owner).copied().unwrap_or(0) >= per_owner {
            return Err(Replay::OwnerFull);
        }
        Ok(())
    }

    fn remember(&mut self, owner: u64, name: Name, expires: u64) {
        self.seen.insert(name);
        *self.owners.entry(owner).or_default() += 1;
        self.by_expiry.push(Reverse((expires, owner, name)));
    }
}

/// Takes the low bits of a digest as its hash.
#[derive(Default)]
struct TakeAsIs(u64);

impl Hasher for TakeAsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |value, octet| value.rotate_left(8) ^ u64::from(*octet));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

impl fmt::Debug for ReplayMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayMemory")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seen => "jti was used before",
            Self::Expired => "jti is of a time that is no longer remembered",
            Self::OwnerFull => "too many jti of this client or key within their lifetime",
            Self::Full => "no room to remember another jti",
        })
    }
}

impl std::error::Error for Replay {}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
