//! A bounded memory of names that may be used once: the `jti` of client assertions (RFC 7523 §3, 7) and of DPoP proofs (RFC
//! 9449 §11.1).
//!
//! It fails closed. A name is remembered until the assertion or proof would be refused as expired. If there is no room, a
//! new name is refused, and nothing is forgotten to make room. Each owner has its own smaller bound, so that a client that
//! floods the memory only locks itself out.

use super::thumbprint::Thumbprint;
use sha2::{Digest as _, Sha256};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, hash_map::Entry};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The owner of a name. A `jti` is unique among the names of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A client, for its assertions.
    Client(&'a str),
    /// A key, for its DPoP proofs.
    Key(&'a Thumbprint),
}

/// The reason why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// It was used before.
    Seen,
    /// It may have been used before: it has expired, so it would have been forgotten.
    Expired,
    /// The memory has the largest number of names of this owner.
    OwnerFull,
    /// The memory is full.
    Full,
}

/// The bounds of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// The largest number of names in all. A name takes about 100 bytes.
    pub total: usize,
    /// The largest number of names of one owner.
    pub per_owner: usize,
}

/// The memory of used names.
pub struct ReplayMemory {
    shards: Box<[Mutex<Shard>]>,
    /// The number of names in all shards.
    held: AtomicUsize,
    capacity: Capacity,
    /// Makes positions in the tables unpredictable, so that nobody can choose names that collide.
    seed: [u8; 32],
}

/// One part of the memory. All names of an owner are in one shard, together with their count.
#[derive(Default)]
struct Shard {
    seen: HashSet<Name, Digested>,
    owners: HashMap<u64, usize, Digested>,
    by_expiry: BinaryHeap<Reverse<(u64, u64, Name)>>,
    /// The latest expiry among forgotten names. If the clock steps back, a name that expires before it might be a replay.
    forgotten: u64,
}

/// A name, as a keyed digest of its owner and its text.
type Name = u128;

/// Uses digests as hashes.
type Digested = BuildHasherDefault<TakeAsIs>;

const SHARDS: usize = 16;

/// The largest number of expired names that one call forgets. It is more than the one that it may add, so the memory never
/// falls behind.
const SWEEP: usize = 4;

impl ReplayMemory {
    /// Makes an empty memory. `seed` should be random and different in each process.
    #[must_use]
    pub fn new(capacity: Capacity, seed: [u8; 32]) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, held: AtomicUsize::new(0), capacity, seed }
    }

    /// Remembers a name until `expires`, if it is not remembered yet. Times are in Unix milliseconds. From `expires` on, the
    /// assertion or proof itself would be refused.
    ///
    /// # Errors
    /// A [`Replay`] if the name is not known to be new. It must not be accepted then.
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
            // Other shards may hold expired names: a shard is only swept when it is used, and now.
            drop(shard);
            for shard in &self.shards {
                self.release(lock(shard).sweep(now));
            }
            shard = self.shard(owner);
        }
        shard.check(owner, name, expires, now, self.capacity.per_owner)?;
        // The place is counted before it is used, so that concurrent calls cannot exceed the bound.
        if self.held.fetch_add(1, Ordering::Relaxed) >= self.capacity.total {
            self.release(1);
            return Err(Replay::Full);
        }
        shard.remember(owner, name, expires);
        Ok(())
    }

    /// Returns the number of remembered names, including expired ones that are not swept yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns whether no name is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn release(&self, count: usize) {
        self.held.fetch_sub(count, Ordering::Relaxed);
    }

    fn shard(&self, owner: u64) -> MutexGuard<'_, Shard> {
        // The upper bits, because hash tables use the lower ones. The index is always below `SHARDS`.
        lock(&self.shards[(owner >> 32) as usize % SHARDS])
    }

    fn digests(&self, owner: Owner<'_>, name: &str) -> (u64, Name) {
        let (kind, owner) = match owner {
            Owner::Client(id) => (b'c', id.as_bytes()),
            Owner::Key(thumbprint) => (b'k', &thumbprint.as_bytes()[..]),
        };
        let whose = Sha256::new().chain_update(self.seed).chain_update([kind]).chain_update(owner);
        // The digest of the owner has a fixed length, so that no pair of owner and name equals another pair.
        let whose: [u8; 32] = whose.finalize().into();
        let which: [u8; 32] = Sha256::new().chain_update(whose).chain_update(name).finalize().into();
        (first_of(&whose) as u64, first_of(&which))
    }
}

fn first_of(digest: &[u8; 32]) -> u128 {
    digest.iter().take(16).fold(0, |value, octet| value << 8 | u128::from(*octet))
}

/// Locks a shard. A thread that panicked with the lock held left at worst a name that is remembered but not counted.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Forgets some expired names. Returns how many.
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

/// Uses the lower bits of a digest as its hash.
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
