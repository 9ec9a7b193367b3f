//! Which rows of a shared file this process has written.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The rows that this process has written while another one writes too. Empty, and not kept, while it is alone.
#[derive(Default)]
pub(super) struct OwnRows(Mutex<Option<Vec<RangeInclusive<i64>>>>);

impl OwnRows {
    /// Starts to keep them, or stops.
    pub(super) fn keep(&self, keep: bool) {
        *self.lock() = keep.then(Vec::new);
    }

    /// Returns whether another process may write.
    pub(super) fn are_kept(&self) -> bool {
        self.lock().is_some()
    }

    /// Adds rows. It must be called before they are committed, so that no reader takes them for those of another process.
    pub(super) fn add(&self, rows: RangeInclusive<i64>) {
        if let Some(own) = &mut *self.lock() {
            own.push(rows);
        }
    }

    /// Forgets the rows that were added last, because they were not committed.
    pub(super) fn take_back(&self) {
        if let Some(own) = &mut *self.lock() {
            own.pop();
        }
    }

    pub(super) fn contain(&self, row: i64) -> bool {
        self.lock().as_ref().is_some_and(|own| own.iter().any(|rows| rows.contains(&row)))
    }

    /// Forgets rows up to `seen`, which nobody reads again.
    pub(super) fn forget_until(&self, seen: i64) {
        if let Some(own) = &mut *self.lock() {
            own.retain(|rows| *rows.end() > seen);
        }
    }

    /// A thread that panicked with the lock held left the list as it was.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<RangeInclusive<i64>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
