//! The table of registered clients of a journal: in memory, and in the file.

#[cfg(feature = "gateway")]
use crate::store::client_table::differences;
use crate::store::journal::{Journal, client_rows};
use crate::store::token_store::{ClientTable, OnRowChange, Pending, RowChange, StoreError};

impl Journal {
    /// Returns whether this process may decide what depends on the value of a row: no other one writes, for
    /// the seconds of an upgrade, and the file can be written.
    fn decides_alone(&self) -> bool {
        !self.following.is_active() && !self.shared.is_failing()
    }

    /// Adds rows to the next batch.
    fn write_registered(&self, changes: Vec<RowChange>) -> Pending<'_, Result<(), StoreError>> {
        Pending::Wait(self.shared.add_for_good(|batch| batch.registered.extend(changes)))
    }

    /// Keeps the rows of a damaged file whose checksums are right.
    #[cfg(feature = "gateway")]
    pub(super) fn restore_registered(&self, rows: Vec<(String, Vec<u8>)>) {
        let changes: Vec<RowChange> = rows.into_iter().map(|(key, value)| (key, Some(value))).collect();
        if !changes.is_empty() {
            self.registered.apply(&changes);
            self.shared.add(|batch| batch.registered.extend(changes));
        }
    }

    /// Reads what another process has written into the table, at the end of the time in which both use it.
    #[cfg(feature = "gateway")]
    pub(super) fn read_registered(&self) {
        let rows = match self.following.read(client_rows::rows) {
            None => return,
            Some(Ok(rows)) => rows.rows,
            Some(Err(error)) => {
                log::error!("the registered clients in {} cannot be read: {error}", self.folder.display());
                return;
            }
        };
        let changes = differences(self.registered.all().into_iter().collect(), rows);
        self.registered.apply(&changes);
        if let Some(on_change) = self.on_row_change.get() {
            changes.iter().for_each(|(key, value)| on_change(key, value.as_deref()));
        }
    }
}

impl ClientTable for Journal {
    fn rows(&self) -> Vec<(String, Vec<u8>)> {
        self.registered.all()
    }

    fn known(&self, key: &str) -> Option<Vec<u8>> {
        self.registered.get(key)
    }

    fn write(&self, changes: Vec<RowChange>) -> Pending<'_, Result<(), StoreError>> {
        if self.shared.is_failing() {
            return Pending::Ready(Err(StoreError::Unavailable));
        }
        self.registered.apply(&changes);
        self.write_registered(changes)
    }

    fn count_up(&self, key: &str, most: u64) -> Pending<'_, Result<bool, StoreError>> {
        if !self.decides_alone() {
            return Pending::Ready(Err(StoreError::Unavailable));
        }
        match self.registered.add_one(key, most) {
            None => Pending::Ready(Ok(false)),
            Some(row) => {
                let written = self.write_registered(vec![row]);
                Pending::Wait(Box::pin(async move { written.get().await.map(|()| true) }))
            }
        }
    }

    fn replace(&self, key: &str, before: Vec<u8>, after: Vec<u8>) -> Pending<'_, Result<bool, StoreError>> {
        if !self.decides_alone() {
            return Pending::Ready(Err(StoreError::Unavailable));
        }
        if !self.registered.swap(key, &before, after.clone()) {
            return Pending::Ready(Ok(false));
        }
        let written = self.write_registered(vec![(key.to_owned(), Some(after))]);
        Pending::Wait(Box::pin(async move { written.get().await.map(|()| true) }))
    }

    fn find_row(&self, key: &str) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        let known = self.registered.get(key);
        if known.is_some() {
            return Pending::Ready(Ok(known));
        }
        Pending::Ready(match self.following.read(|connection| client_rows::row(connection, key)) {
            None => Ok(None),
            Some(Ok(found)) => {
                if let Some(value) = &found {
                    self.registered.apply(&[(key.to_owned(), Some(value.clone()))]);
                }
                Ok(found)
            }
            Some(Err(error)) => {
                log::error!("what another gateway has written cannot be read: {error}");
                Err(StoreError::Unavailable)
            }
        })
    }

    fn has_others(&self) -> bool {
        self.following.is_active()
    }

    fn on_change(&self, on_change: OnRowChange) {
        // A journal belongs to one gate.
        let _ = self.on_row_change.set(on_change);
    }
}
