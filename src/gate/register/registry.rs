//! The registered clients in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gate::register::questions::Questions;
use crate::gate::register::record::Registered;
use crate::gate::spec::{GateSpec, RegistrationSpec};
use crate::gate::throttle::Throttle;
use crate::oauth::token_error::TokenError;
use crate::sorting::sort_by;
use crate::store::{CLIENT, ClientTable, MemoryTable, TokenStore, number};

/// The key of the last use of a client.
const USED: &str = "used/";
/// The key of the number of clients that were registered with an initial access token.
const USES: &str = "uses/";

pub(super) fn used_key(id: &str) -> String {
    format!("{USED}{id}")
}

pub(super) fn uses_key(digest: &str) -> String {
    format!("{USES}{digest}")
}

/// Returns the id of the client, if the row with this key has a client's last use.
pub(super) fn client_of_use(key: &str) -> Option<&str> {
    key.strip_prefix(USED)
}

/// Reads the registered clients in the rows of a table. Skips clients that this version of the program cannot
/// read.
pub(crate) fn read_registered(rows: &[(String, Vec<u8>)]) -> Vec<Registered> {
    let uses: HashMap<&str, u64> =
        rows.iter().filter_map(|(key, value)| Some((client_of_use(key)?, number(value)))).collect();
    let client = |(key, value): &(String, Vec<u8>)| {
        let id = key.strip_prefix(CLIENT)?;
        let last_use = Arc::new(AtomicU64::new(uses.get(id).copied().unwrap_or(0)));
        Registered::from_bytes(id, value, last_use)
    };
    rows.iter().filter_map(client).collect()
}

/// The registered clients, and the limits on registration.
#[derive(Default)]
pub(crate) struct Registry {
    clients: Mutex<Clients>,
    /// Serializes changes of the settings: reloads, and clients that are added, changed or removed.
    pub(in crate::gate) changing: Mutex<()>,
    /// Serializes the requests that replace or remove clients, until the store has written the change.
    pub(super) managing: tokio::sync::Mutex<()>,
    pub(super) throttle: Throttle,
    pub(super) questions: Questions,
    /// The table in memory, for a store that has no table.
    fallback: MemoryTable,
}

#[derive(Default)]
struct Clients {
    by_id: HashMap<String, Arc<Registered>>,
    /// The clients that are being registered, by template.
    coming: HashMap<String, usize>,
}

impl Registry {
    /// Makes the registry of the clients in a store.
    pub(in crate::gate) fn of(store: &dyn TokenStore) -> Self {
        let registry = Self::default();
        let rows = store.client_table().map(ClientTable::rows).unwrap_or_default();
        let known = read_registered(&rows);
        let written = rows.iter().filter(|(key, _)| key.starts_with(CLIENT)).count();
        if known.len() < written {
            log::error!(
                "{} registered clients were written by another version of this program and cannot be used",
                written - known.len()
            );
        }
        for client in known {
            registry.keep(client);
        }
        registry
    }

    /// Returns the table in which the clients are kept.
    pub(super) fn table<'a>(&'a self, store: &'a dyn TokenStore) -> &'a dyn ClientTable {
        store.client_table().unwrap_or(&self.fallback)
    }

    /// Keeps a client in memory. Returns the one that it replaces.
    pub(super) fn keep(&self, client: Registered) -> Option<Arc<Registered>> {
        self.lock().by_id.insert(client.id.as_str().to_owned(), Arc::new(client))
    }

    pub(super) fn forget(&self, id: &str) -> Option<Arc<Registered>> {
        self.lock().by_id.remove(id)
    }

    /// Applies a row that another process has written. Returns the id of the client, if the row is one.
    pub(super) fn apply<'k>(&self, key: &'k str, value: Option<&[u8]>) -> Option<&'k str> {
        if let Some(id) = client_of_use(key) {
            if let (Some(client), Some(value)) = (self.get(id), value) {
                client.last_use.fetch_max(number(value), Ordering::Relaxed);
            }
            return None;
        }
        let id = key.strip_prefix(CLIENT)?;
        match value {
            None => drop(self.forget(id)),
            Some(value) => {
                let last_use = self.get(id).map(|client| Arc::clone(&client.last_use)).unwrap_or_default();
                self.keep(Registered::from_bytes(id, value, last_use)?);
            }
        }
        Some(id)
    }

    /// Returns a client.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Registered>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Returns the number of clients.
    pub(super) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Returns all clients, in the order of their ids.
    pub(crate) fn all(&self) -> Vec<Arc<Registered>> {
        let mut all: Vec<_> = self.lock().by_id.values().cloned().collect();
        sort_by(&mut all, |one, other| one.id.cmp(&other.id));
        all
    }

    /// Adds the registered clients to settings. A client of the settings with the same id stays.
    pub(in crate::gate) fn add_to(&self, spec: &mut GateSpec) {
        let Some(registration) = &spec.registration else { return };
        let registered = self.all().into_iter().filter_map(|client| client.spec(registration));
        let mut specs: Vec<_> =
            registered.filter(|client| !spec.clients.iter().any(|own| own.id == client.id)).collect();
        spec.clients.append(&mut specs);
    }

    /// Reserves a place among the clients of a template, until the result is dropped.
    pub(super) fn place(
        &self,
        registration: &RegistrationSpec,
        template: &str,
    ) -> Result<Place<'_>, TokenError> {
        let most = registration.template(template).map_or(0, |template| template.max_clients);
        let mut clients = self.lock();
        let live = clients.by_id.values();
        let of_template = live.filter(|client| client.template == template).count();
        let coming: usize = clients.coming.values().sum();
        let coming_here = clients.coming.get(template).copied().unwrap_or(0);
        if of_template + coming_here >= most || clients.by_id.len() + coming >= registration.max_clients {
            return Err(TokenError::TooManyClients);
        }
        *clients.coming.entry(template.to_owned()).or_default() += 1;
        Ok(Place { registry: self, template: template.to_owned() })
    }

    /// Locks the maps. A thread that panicked while it held the lock left them consistent.
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reserved place of a client that is being registered.
pub(super) struct Place<'a> {
    registry: &'a Registry,
    template: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut clients = self.registry.lock();
        if let Some(coming) = clients.coming.get_mut(&self.template) {
            *coming = coming.saturating_sub(1);
        }
        clients.coming.retain(|_, coming| *coming > 0);
    }
}
