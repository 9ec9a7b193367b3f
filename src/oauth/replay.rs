//! A bounded memory of names that may be used once: the `jti` of client assertions (RFC 7523 §3, 7) and of
//! DPoP proofs (RFC 9449 §11.1).
//!
//! It fails closed. A name is remembered until the assertion or proof would be refused as expired. If there
//! is no room, a new name is refused, and nothing is forgotten to make room. The room is shared out among
//! clients, however many keys they have: each can have at most a quarter of it, and the last quarter is
//! divided equally, so that a client that floods the memory takes nothing away from the share of another.
//!
//! Times are those of the monotonic clock, counted from the moment of acceptance. A wall clock that jumps
//! neither shortens nor extends how long a name is remembered.

use super::thumbprint::Thumbprint;
use crate::clock::Millis;
use sha2::{Digest as _, Sha256};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, hash_map::Entry};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A name that may be used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedJti<'a> {
    /// The client that used it. It owns the place in the memory.
    pub client: &'a str,
    /// The key that signed it, for a DPoP proof: each key has its own names.
    pub key: Option<&'a Thumbprint>,
    /// The `jti`.
    pub jti: &'a str,
}

/// The reason why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Replay {
    /// It was used before.
    Seen,
    /// It may have been used before: it has expired, so it would have been forgotten.
    Expired,
    /// The client has used all names that it may use within their lifetime.
    ClientFull,
    /// The memory is full.
    Full,
}

/// The bounds of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// The largest number of names in all. A name takes about 100 bytes.
    pub total: usize,
}

impl Capacity {
    /// The largest number of names of one client.
    #[must_use]
    pub(crate) fn per_client(self) -> usize {
        self.total / 4
    }

    /// The part of the memory that is divided equally among the clients.
    fn reserve(self) -> usize {
        self.total / 4
    }

    /// Returns whether a client with `own` names may add one while there are `held` names in all.
    fn has_room(self, own: usize, held: usize, clients: usize) -> bool {
        let share = self.reserve() / clients.max(1);
        own < self.per_client() && (held < self.total - self.reserve() || own < share)
    }
}

/// The memory of used names.
pub(crate) struct ReplayMemory {
    shards: Box<[Mutex<Shard>]>,
    /// The number of names in all shards.
    held: AtomicUsize,
    capacity: Capacity,
    /// Makes positions in the tables unpredictable, so that nobody can choose names that collide.
    seed: [u8; 32],
}

/// One part of the memory. All names of a client are in one shard, together with their count.
#[derive(Default)]
struct Shard {
    seen: HashSet<Name, Digested>,
    clients: HashMap<u64, usize, Digested>,
    by_expiry: BinaryHeap<Reverse<(Millis, u64, Name)>>,
}

/// A name, as a keyed digest of its client, its key and its text.
type Name = u128;

/// Uses digests as hashes.
type Digested = BuildHasherDefault<TakeAsIs>;

const SHARDS: usize = 16;

/// The largest number of expired names that one call forgets. It is more than the one that it may add, so the
/// memory never falls behind.
const SWEEP: usize = 4;

impl ReplayMemory {
    /// Makes an empty memory. `seed` should be random and different in each process.
    #[must_use]
    pub(crate) fn new(capacity: Capacity, seed: [u8; 32]) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, held: AtomicUsize::new(0), capacity, seed }
    }

    /// Remembers a name until `until`, if it is not remembered yet. From then on, the assertion or proof
    /// itself must be refused. `clients` is the number of clients that share the memory.
    ///
    /// # Errors
    /// A [`Replay`] if the name is not known to be new. It must not be accepted then.
    pub(crate) fn check_and_remember(
        &self,
        name: UsedJti<'_>,
        until: Millis,
        now: Millis,
        clients: usize,
    ) -> Result<(), Replay> {
        let (client, name) = self.digests(name);
        let mut shard = self.shard(client);
        self.release(shard.sweep(now));
        if self.len() >= self.capacity.total - self.capacity.reserve() {
            // Other shards may hold expired names: a shard is only swept when it is used, and now.
            drop(shard);
            for shard in &self.shards {
                self.release(lock(shard).sweep(now));
            }
            shard = self.shard(client);
        }
        if shard.seen.contains(&name) {
            return Err(Replay::Seen);
        }
        if until <= now {
            return Err(Replay::Expired);
        }
        let own = shard.clients.get(&client).copied().unwrap_or(0);
        // The place is counted before it is used, so that concurrent calls cannot exceed the bound.
        let held = self.held.fetch_add(1, Ordering::Relaxed);
        if held >= self.capacity.total || !self.capacity.has_room(own, held, clients) {
            self.release(1);
            return Err(if held >= self.capacity.total { Replay::Full } else { Replay::ClientFull });
        }
        shard.remember(client, name, until);
        Ok(())
    }

    /// Returns the number of remembered names, including expired ones that are not swept yet.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn release(&self, count: usize) {
        self.held.fetch_sub(count, Ordering::Relaxed);
    }

    fn shard(&self, client: u64) -> MutexGuard<'_, Shard> {
        // The upper bits, because hash tables use the lower ones. The index is always below `SHARDS`.
        lock(&self.shards[(client >> 32) as usize % SHARDS])
    }

    fn digests(&self, name: UsedJti<'_>) -> (u64, Name) {
        let whose: [u8; 32] =
            Sha256::new().chain_update(self.seed).chain_update(name.client).finalize().into();
        // The digest of the client and the thumbprint have fixed lengths, so that no two names run into each
        // other.
        let (kind, key) = name.key.map_or((b"-", &[][..]), |key| (b"k", &key.as_bytes()[..]));
        let which = Sha256::new().chain_update(whose).chain_update(kind).chain_update(key);
        let which: [u8; 32] = which.chain_update(name.jti).finalize().into();
        (first_of(&whose) as u64, first_of(&which))
    }
}

fn first_of(digest: &[u8; 32]) -> u128 {
    digest.iter().take(16).fold(0, |value, octet| value << 8 | u128::from(*octet))
}

/// Locks a shard. A thread that panicked with the lock held left at worst a name that is remembered but not
/// counted.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Forgets some expired names. Returns how many.
    fn sweep(&mut self, now: Millis) -> usize {
        let mut cleared = 0;
        while cleared < SWEEP {
            match self.by_expiry.peek() {
                Some(Reverse((until, ..))) if *until <= now => {}
                _ => break,
            }
            let Some(Reverse((_, client, name))) = self.by_expiry.pop() else { break };
            self.seen.remove(&name);
            if let Entry::Occupied(mut count) = self.clients.entry(client) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
            cleared += 1;
        }
        cleared
    }

    fn remember(&mut self, client: u64, name: Name, until: Millis) {
        self.seen.insert(name);
        *self.clients.entry(client).or_default() += 1;
        self.by_expiry.push(Reverse((until, client, name)));
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
            Self::ClientFull => "too many jti of this client within their lifetime",
            Self::Full => "no room to remember another jti",
        })
    }
}

impl std::error::Error for Replay {}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
