//! Token buckets by key, in bounded memory.

use std::array;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

const SHARDS: usize = 16;
/// The most keys of which a shard keeps the state.
const MAX_IN_SHARD: usize = 1024;
/// The most keys of which the state is kept, in less than a megabyte.
#[cfg(test)]
pub(super) const MAX: usize = SHARDS * MAX_IN_SHARD;

/// The state of each key's bucket: the time at which it is full again.
pub(super) struct Buckets<K> {
    shards: [Mutex<HashMap<K, Nanos>>; SHARDS],
    hasher: RandomState,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { shards: array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

#[cfg(test)]
impl<K> Buckets<K> {
    /// Returns the number of keys of which the state is kept.
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

impl<K: Copy + Eq + Hash> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(at) else { return decide(None).map(|(decision, _)| decision) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let (decision, full_at) = decide(shard.get(key).copied())?;
        if shard.len() >= MAX_IN_SHARD && !shard.contains_key(key) {
            make_room(&mut shard);
        }
        shard.insert(*key, full_at);
        Ok(decision)
    }
}

/// Forgets the half of the keys that is closest to a full bucket. They lose the least, and a key that has
/// exceeded the rate is remembered. No client is refused because others fill the memory.
fn make_room<K>(shard: &mut HashMap<K, Nanos>) {
    let mut times: Vec<Nanos> = shard.values().copied().collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    shard.retain(|_, full_at| *full_at > median);
}

impl<K> fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}
