//! The table of registered clients as this gateway knows it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::store::client_table::{MemoryTable, differences};
use crate::store::redis::looks::Looks;
use crate::store::token_store::{OnRowChange, RowChange};

/// The table as this gateway knows it.
#[derive(Default)]
pub(super) struct KnownClients {
    pub(super) memory: MemoryTable,
    /// The number of changes that are in memory.
    pub(super) seen: AtomicU64,
    /// Notified when the table in the engine has changed.
    pub(super) changed: Arc<Notify>,
    pub(super) looks: Looks,
    pub(super) on_change: OnceLock<OnRowChange>,
    /// Held while rows of the engine are applied, so that an older response does not replace a newer one.
    applying: Mutex<()>,
}

/// A read of the whole table, from before it was sent. A row that this gateway removes in the meantime is
/// still in the response, and is not new.
pub(super) struct Reading<'a> {
    clients: &'a KnownClients,
    pub(super) before: HashMap<String, Vec<u8>>,
    pub(super) seen: u64,
}

impl KnownClients {
    /// Applies a row that the engine had after `version` changes, unless a later state of the table is known.
    pub(super) fn found(&self, version: u64, key: &str, value: Vec<u8>) {
        let _applying = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        if version >= self.seen.load(Ordering::Relaxed) {
            self.apply(&[(key.to_owned(), Some(value))]);
        }
    }

    fn apply(&self, changes: &[RowChange]) {
        self.memory.apply(changes);
        if let Some(on_change) = self.on_change.get() {
            changes.iter().for_each(|(key, value)| on_change(key, value.as_deref()));
        }
    }

    /// Begins a read of the whole table.
    pub(super) fn read(&self) -> Reading<'_> {
        let seen = self.seen.load(Ordering::Relaxed);
        Reading { clients: self, before: self.memory.all().into_iter().collect(), seen }
    }
}

impl Reading<'_> {
    /// Returns whether the engine has lost changes that this gateway knows.
    pub(super) fn shows_loss(&self, version: u64) -> bool {
        version < self.seen
    }

    /// Applies what others have changed, by the rows of the engine after `version` changes.
    pub(super) fn finish(self, version: u64, rows: Vec<(String, Vec<u8>)>) {
        let _applying = self.clients.applying.lock().unwrap_or_else(PoisonError::into_inner);
        self.clients.apply(&differences(self.before, rows));
        self.clients.seen.store(version, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn row(key: &str, value: &str) -> (String, Vec<u8>) {
        (key.to_owned(), value.as_bytes().to_vec())
    }

    fn change(key: &str, value: Option<&str>) -> RowChange {
        (key.to_owned(), value.map(|value| value.as_bytes().to_vec()))
    }

    #[test]
    fn what_this_gateway_changes_during_a_read_is_neither_new_nor_gone() {
        let clients = KnownClients::default();
        let told = Arc::<Mutex<Vec<RowChange>>>::default();
        let heard = Arc::clone(&told);
        let on_change = move |key: &str, value: Option<&[u8]>| {
            heard.lock().unwrap().push((key.to_owned(), value.map(<[u8]>::to_vec)));
        };
        assert!(clients.on_change.set(Box::new(on_change)).is_ok());
        clients.read().finish(3, vec![row("removed", "1"), row("changed", "1"), row("other", "1")]);
        assert_eq!(told.lock().unwrap().drain(..).count(), 3);

        let reading = clients.read();
        // The engine has answered the read, and this gateway has not got the answer yet.
        clients.memory.apply(&[
            change("removed", None),
            change("changed", Some("2")),
            change("added", Some("1")),
        ]);
        reading.finish(4, vec![row("removed", "1"), row("changed", "1"), row("elsewhere", "1")]);
        let mut heard: Vec<_> = told.lock().unwrap().drain(..).collect();
        heard.sort();
        assert_eq!(heard, [change("elsewhere", Some("1")), change("other", None)]);
        assert_eq!(clients.memory.all(), [row("added", "1"), row("changed", "2"), row("elsewhere", "1")]);
        assert_eq!(clients.read().seen, 4);
    }

    #[test]
    fn a_row_that_was_found_before_a_newer_read_changes_nothing() {
        let clients = KnownClients::default();
        clients.read().finish(5, vec![row("replaced", "2")]);
        clients.found(4, "replaced", b"1".to_vec());
        clients.found(4, "removed", b"1".to_vec());
        assert_eq!(clients.memory.all(), [row("replaced", "2")]);
        clients.found(6, "added", b"1".to_vec());
        assert_eq!(clients.memory.all(), [row("added", "1"), row("replaced", "2")]);
    }

    #[test]
    fn an_engine_with_fewer_changes_has_lost_some_also_if_nothing_is_left() {
        let clients = KnownClients::default();
        assert!(!clients.read().shows_loss(0), "nothing was ever read");
        clients.read().finish(5, Vec::new());
        assert!(clients.read().shows_loss(4) && !clients.read().shows_loss(5));
    }
}
