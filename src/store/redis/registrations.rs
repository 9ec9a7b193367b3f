//! The registrations of clients. They are in the journal of this gateway, which compares them at its next
//! start with the configuration that it then has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oauth::client::ClientId;
use crate::store::journal::Journal;
use crate::store::lasting::Lasting;

/// Registrations that are not written yet. A client whose tokens have to end keeps its earlier registration
/// until the engine has ended them. So a process that dies before that finds the difference again.
#[derive(Default)]
pub(super) struct Registrations(Mutex<HashMap<ClientId, Held>>);

#[derive(Default)]
struct Held {
    /// The number of ends that the engine has not carried out.
    ends: usize,
    /// The registration to write afterwards.
    next: Option<Option<Vec<u8>>>,
}

impl Registrations {
    /// Keeps the registration of a client as it is until [`Self::ended`].
    pub(super) fn ends(&self, client: &ClientId) {
        self.lock().entry(client.clone()).or_default().ends += 1;
    }

    /// Records that one end of the client's tokens, or all of them, are carried out.
    pub(super) fn ended(&self, client: &ClientId, all: bool, journal: Option<&Arc<Journal>>) {
        let mut held = self.lock();
        let Some(of_client) = held.get_mut(client) else { return };
        of_client.ends = if all { 0 } else { of_client.ends.saturating_sub(1) };
        if of_client.ends > 0 {
            return;
        }
        // The lock is held until the change is in the queue of the journal, so that a later one is written
        // later.
        if let (Some(Held { next: Some(registration), .. }), Some(journal)) = (held.remove(client), journal) {
            journal.register(client, registration);
        }
    }

    /// Writes the registration of a client, as soon as its tokens have ended if they have to.
    pub(super) fn register(&self, client: &ClientId, registration: Option<Vec<u8>>, journal: &Journal) {
        let mut held = self.lock();
        match held.get_mut(client) {
            Some(of_client) => of_client.next = Some(registration),
            None => journal.register(client, registration),
        }
    }
    /// A thread that panicked with the lock held left at worst a registration that is written late.
    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
