//! Records which rows of a shared file this process has written.

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The rows that this process has written while another process writes too. The list stays empty while there
/// is no other process.
#[derive(Default)]
pub(super) struct OwnRows(Mutex<Option<Vec<RangeInclusive<i64>>>>);

impl OwnRows {
    /// Starts or stops the recording of rows.
    pub(super) fn keep(&self, keep: bool) {
        *self.lock() = keep.then(Vec::new);
    }

    /// Returns whether another process may write.
    pub(super) fn are_kept(&self) -> bool {
        self.lock().is_some()
    }

    /// Adds rows. Callers add them before they commit, so that no reader mistakes them for rows of another
    /// process.
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

    /// Removes rows up to `seen`, which will not be read again.
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
