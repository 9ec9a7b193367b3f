//! The table of registered clients as this gateway knows it.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use crate::store::client_table::MemoryTable;
use crate::store::token_store::{OnRowChange, RowChange};

/// The table as this gateway knows it.
#[derive(Default)]
pub(super) struct KnownClients {
    pub(super) memory: MemoryTable,
    /// Held from a query to the use of its answer, so that no answer is used after a newer one.
    pub(super) querying: tokio::sync::Mutex<()>,
    /// The number of changes that are in memory.
    pub(super) seen: AtomicU64,
    pub(super) on_change: OnceLock<OnRowChange>,
}

impl KnownClients {
    /// Applies changes of other processes.
    pub(super) fn apply(&self, changes: &[RowChange]) {
        self.memory.apply(changes);
        if let Some(on_change) = self.on_change.get() {
            changes.iter().for_each(|(key, value)| on_change(key, value.as_deref()));
        }
    }
}
