//! Replaces one client in the settings.

use std::sync::{Arc, PoisonError};

use crate::gate::instance::Gate;
use crate::gate::settings::{Client, Settings};
use crate::gate::spec::ClientSpec;
use crate::oauth::client::ClientState;
use crate::store::{Pending, StoreError};

/// Which process has changed a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// A request to this gate has changed it.
    Here,
    /// Another process has changed it, and has ended the tokens that end with the change. Ending tokens again
    /// would also end those that were issued since.
    Elsewhere,
}

impl Gate {
    /// Updates a registered client in the settings from the registry, or removes it from the settings, as a
    /// reload would. A client of the configuration with the same id stays.
    ///
    /// The result completes when the client's tokens have ended, if they end with the change.
    pub(super) fn refresh_client(&self, id: &str, changed: Changed) -> Pending<'_, Result<u32, StoreError>> {
        let registry = &self.inner.registry;
        let _changing = registry.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // The settings and the registry are read under the lock. This call therefore sees the settings of an
        // earlier reload, and a later reload finds the client in the registry.
        let before = self.inner.settings.load_full();
        let client = registry.get(id);
        let spec = client.and_then(|client| client.spec(before.registration.as_ref()?));
        match (spec, before.clients.get(id)) {
            (_, Some(known)) if known.last_use.is_none() => Pending::Ready(Ok(0)),
            (Some(spec), known) => self.put_client(&before, spec, known, changed),
            (None, Some(known)) => self.take_client(&before, id, known),
            (None, None) => Pending::Ready(Ok(0)),
        }
    }

    fn put_client(
        &self,
        before: &Settings,
        spec: ClientSpec,
        known: Option<&Arc<Client>>,
        changed: Changed,
    ) -> Pending<'_, Result<u32, StoreError>> {
        let (store, id) = (&*self.inner.store, spec.id.clone());
        let after = Arc::new(before.with_client(spec, self.inner.clock.unix_time(), store));
        // As in a reload, the swap comes before the revocation.
        self.inner.settings.store(Arc::clone(&after));
        let Some(client) = after.clients.get(id.as_str()) else { return Pending::Ready(Ok(0)) };
        let ended = match known {
            Some(known) if client.ends_tokens_of(known) && changed == Changed::Here => {
                Some(self.end_registered(&client.state))
            }
            Some(_) => {
                client.restrict_tokens(store);
                // This gateway may have issued tokens for credentials that were already replaced elsewhere.
                if changed == Changed::Elsewhere {
                    let mut grants = client.grants.lock().unwrap_or_else(PoisonError::into_inner);
                    grants.end_unless(|carried| client.registration.accepts(carried));
                }
                None
            }
            None => None,
        };
        // In a shared store, each token names the registration under which it was issued.
        if let Some(lasting) = store.lasting().filter(|_| !store.is_shared()) {
            let registration = client.registration.to_bytes();
            if known.is_none_or(|known| known.registration.to_bytes() != registration) {
                lasting.register(&id, Some(registration));
            }
        }
        ended.unwrap_or(Pending::Ready(Ok(0)))
    }

    fn take_client(
        &self,
        before: &Settings,
        id: &str,
        known: &Client,
    ) -> Pending<'_, Result<u32, StoreError>> {
        let mut after = before.clone();
        after.clients.remove(id);
        self.inner.settings.store(Arc::new(after));
        // Also if another gateway has removed it: this one may have issued tokens since. The id never comes
        // again, so no good token ends.
        let ended = self.end_epoch(&known.state);
        self.inner.changed_clients.remove(known.state.id());
        let store = &*self.inner.store;
        if let Some(lasting) = store.lasting().filter(|_| !store.is_shared()) {
            lasting.register(known.state.id(), None);
        }
        ended
    }

    fn end_registered(&self, state: &Arc<ClientState>) -> Pending<'_, Result<u32, StoreError>> {
        if self.inner.store.lasting().is_some() {
            self.inner.changed_clients.add(state.id());
        }
        self.end_epoch(state)
    }
}
