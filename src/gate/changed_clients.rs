//! The clients whose tokens have all ended while this process runs.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::oauth::client::ClientId;

/// The clients whose tokens have all ended by a change of the settings. A process with earlier settings does
/// not know that and goes on issuing tokens for them, in the epoch that has begun.
///
/// There are at most as many as clients that an operator has changed while this process runs, and clients
/// that are registered.
#[derive(Default)]
pub(crate) struct ChangedClients(Mutex<HashSet<ClientId>>);

impl ChangedClients {
    pub(super) fn add(&self, client: &ClientId) {
        self.lock().insert(client.clone());
    }

    /// Forgets a client that is gone for good. Its tokens end because nobody knows it.
    #[cfg(feature = "gateway")]
    pub(super) fn remove(&self, client: &ClientId) {
        self.lock().remove(client);
    }

    pub(super) fn contain(&self, client: &ClientId) -> bool {
        self.lock().contains(client)
    }

    /// A thread that panicked with the lock held left the set whole.
    fn lock(&self) -> MutexGuard<'_, HashSet<ClientId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
