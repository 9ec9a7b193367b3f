//! Swaps one client in the settings.

use std::sync::{Arc, PoisonError};

use crate::gate::instance::Gate;
use crate::gate::settings::Settings;
use crate::gate::spec::ClientSpec;
use crate::oauth::client::ClientState;
use crate::store::{Pending, StoreError};

/// Where a client was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// By a request to this gate, or by its settings.
    Here,
    /// By another process, which has ended the tokens that end with the change. To end them again would end tokens that
    /// were issued since.
    Elsewhere,
}

impl Gate {
    /// Adds or replaces a registered client in the settings, as a reload would. A client of the configuration with the same
    /// id stays.
    ///
    /// The result is the end of the client's epoch, if its tokens end with the change.
    pub(super) fn put_client(
        &self,
        spec: ClientSpec,
        changed: Changed,
    ) -> Pending<'_, Result<u32, StoreError>> {
        let _changing = self.inner.registry.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.settings.load_full();
        let id = spec.id.clone();
        let known = before.clients.get(id.as_str()).cloned();
        if known.as_ref().is_some_and(|known| known.last_use.is_none()) {
            return Pending::Ready(Ok(0));
        }
        let store = &*self.inner.store;
        let after = Arc::new(before.with_client(spec, self.inner.clock.unix_time(), store));
        // As in a reload, the swap comes before the revocation.
        self.inner.settings.store(Arc::clone(&after));
        let Some(client) = after.clients.get(id.as_str()) else { return Pending::Ready(Ok(0)) };
        let ended = match &known {
            Some(known) if client.ends_tokens_of(known) && changed == Changed::Here => {
                Some(self.end_registered(&client.state))
            }
            Some(_) => {
                client.restrict_tokens(store);
                None
            }
            None => None,
        };
        if let Some(lasting) = store.lasting() {
            let registration = client.registration.to_bytes();
            if known.is_none_or(|known| known.registration.to_bytes() != registration) {
                lasting.register(&id, Some(registration));
            }
        }
        ended.unwrap_or(Pending::Ready(Ok(0)))
    }

    /// Removes a registered client from the settings, and ends its tokens. The result is the end of its epoch.
    pub(super) fn take_client(&self, id: &str, changed: Changed) -> Pending<'_, Result<u32, StoreError>> {
        let _changing = self.inner.registry.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.settings.load_full();
        let Some(known) = before.clients.get(id).filter(|client| client.last_use.is_some()) else {
            return Pending::Ready(Ok(0));
        };
        self.inner.settings.store(Arc::new(before.without_client(id)));
        let ended = match changed {
            Changed::Here => self.end_epoch(&known.state),
            Changed::Elsewhere => Pending::Ready(Ok(0)),
        };
        self.inner.changed_clients.remove(known.state.id());
        if let Some(lasting) = self.inner.store.lasting() {
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

impl Settings {
    /// Returns the same settings without one client.
    fn without_client(&self, id: &str) -> Self {
        let mut after = self.clone();
        after.clients.remove(id);
        after
    }
}
