//! The table of clients that have registered themselves. Its rows are opaque to the store.

use std::collections::BTreeMap;
#[cfg(any(feature = "gateway", feature = "redis"))]
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sorting::collect_sorted;
use crate::store::token_store::{ClientTable, Pending, RowChange, StoreError};

/// What the keys of registered clients begin with.
#[cfg(any(feature = "gateway", feature = "redis"))]
pub(crate) const CLIENT: &str = "client/";

/// A table in memory.
#[derive(Default)]
pub(crate) struct MemoryTable(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryTable {
    /// Makes a table with these rows.
    pub(crate) fn with(rows: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(Mutex::new(collect_sorted(rows)))
    }

    pub(super) fn apply(&self, changes: &[RowChange]) {
        let mut rows = self.lock();
        for (key, value) in changes {
            match value {
                Some(value) => drop(rows.insert(key.clone(), value.clone())),
                None => drop(rows.remove(key)),
            }
        }
    }

    /// Replaces a value, unless it is not `before` any more. Returns whether it was replaced.
    pub(super) fn swap(&self, key: &str, before: &[u8], after: Vec<u8>) -> bool {
        match self.lock().get_mut(key).filter(|value| **value == before) {
            Some(value) => {
                *value = after;
                true
            }
            None => false,
        }
    }

    pub(super) fn all(&self) -> Vec<(String, Vec<u8>)> {
        self.lock().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().get(key).cloned()
    }

    /// Adds one to a number. Returns the row to write, or `None` if the number is `most` already.
    pub(super) fn add_one(&self, key: &str, most: u64) -> Option<RowChange> {
        let mut rows = self.lock();
        let count = rows.get(key).map_or(0, |value| number(value));
        if count >= most {
            return None;
        }
        let value = (count + 1).to_string().into_bytes();
        rows.insert(key.to_owned(), value.clone());
        Some((key.to_owned(), Some(value)))
    }

    /// A thread that panicked with the lock held left the rows whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the changes that make `before` to `after`.
#[cfg(any(feature = "gateway", feature = "redis"))]
pub(super) fn differences(
    mut before: HashMap<String, Vec<u8>>,
    after: Vec<(String, Vec<u8>)>,
) -> Vec<RowChange> {
    let mut changes: Vec<RowChange> = Vec::new();
    for (key, value) in after {
        if before.remove(&key).as_ref() != Some(&value) {
            changes.push((key, Some(value)));
        }
    }
    changes.extend(before.into_keys().map(|key| (key, None)));
    changes
}

/// Returns the key of a registered client.
#[cfg(any(feature = "gateway", feature = "redis"))]
pub(crate) fn client_key(id: &str) -> String {
    format!("{CLIENT}{id}")
}

/// Reads the number in a row.
pub(crate) fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl ClientTable for MemoryTable {
    fn rows(&self) -> Vec<(String, Vec<u8>)> {
        self.all()
    }

    fn known(&self, key: &str) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn write(&self, changes: Vec<RowChange>) -> Pending<'_, Result<(), StoreError>> {
        self.apply(&changes);
        Pending::Ready(Ok(()))
    }

    fn count_up(&self, key: &str, most: u64) -> Pending<'_, Result<bool, StoreError>> {
        Pending::Ready(Ok(self.add_one(key, most).is_some()))
    }

    fn replace(&self, key: &str, before: Vec<u8>, after: Vec<u8>) -> Pending<'_, Result<bool, StoreError>> {
        Pending::Ready(Ok(self.swap(key, &before, after)))
    }

    fn find_row(&self, key: &str) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        Pending::Ready(Ok(self.get(key)))
    }
}
