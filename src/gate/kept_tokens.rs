//! Tokens that the store has from before the gate was made, and what the store has to know for the next
//! start.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use crate::gate::instance::Gate;
use crate::gate::registration::Registration;
use crate::gate::settings::{Client, Settings};
use crate::oauth::client::ClientId;
use crate::oauth::grant::Record;
#[cfg(feature = "gateway")]
use crate::oauth::registration::is_client_id;
use crate::store::TokenStore;

impl Gate {
    /// Ends or narrows the tokens from before a restart as a reload would, because their clients may have
    /// changed while the gate did not run. This happens before any request is answered.
    pub(super) fn adopt_kept_tokens(&self) {
        let store = &*self.inner.store;
        let Some(lasting) = store.lasting() else { return };
        let settings = self.settings();
        #[cfg_attr(not(feature = "gateway"), expect(unused_mut))]
        let mut registered = lasting.registrations();
        // Clients that have registered themselves in a shared store are not read yet.
        #[cfg(feature = "gateway")]
        registered.retain(|client, _| !store.is_shared() || !is_client_id(client.as_str()));
        for (client, registration) in &registered {
            let known = settings.clients.get(client.as_str());
            if !known.is_some_and(|known| known.keeps_tokens_of(Some(registration))) {
                self.inner.changed_clients.add(client);
                // The tokens of a shared store are not listed here. Other gates may find them.
                if store.is_shared() {
                    drop(self.end_epoch(&store.client(client)));
                }
            }
        }
        for grant in lasting.grants() {
            let state = grant.client();
            let known = settings.clients.get(state.id().as_str());
            match known.filter(|client| client.keeps_tokens_of(registered.get(state.id()))) {
                Some(client) => {
                    client.grants.lock().unwrap_or_else(PoisonError::into_inner).adopt(&grant);
                }
                // The first grant of a client ends the epoch of all.
                None if grant.is_current() => drop(self.end_epoch(state)),
                None => {}
            }
        }
        for client in settings.clients.values() {
            client.restrict_tokens(store);
        }
        settings.register_clients(&registered, store);
    }

    /// Returns whether these settings accept a token that another gate has issued, and narrows its grant to
    /// what they permit. From then on a reload does to it what it does to tokens of this gate.
    pub(super) fn admits(&self, record: &Record) -> bool {
        let grant = record.grant();
        let id = grant.client().id().as_str();
        let Some(grants) = self.settings().clients.get(id).map(|client| Arc::clone(&client.grants)) else {
            return false;
        };
        // A reload swaps the settings first and then restricts the grants that it finds. So the settings are
        // read under the lock of the grants.
        let mut grants = grants.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.settings();
        let Some(client) = settings.clients.get(id).filter(|client| {
            client.may_have_tokens()
                && Arc::ptr_eq(&client.state, grant.client())
                && grant.registration().is_some_and(|carried| client.registration.accepts(carried))
                && client.allows(grant.terms())
        }) else {
            return false;
        };
        grant.shorten(client.policy.token_lifetime);
        grants.adopt(grant);
        true
    }
}

impl Client {
    /// Returns whether tokens from before a restart can stay. A client without a registration has tokens that
    /// were issued under an unknown one, so they end.
    fn keeps_tokens_of(&self, registered: Option<&Vec<u8>>) -> bool {
        let before = registered.and_then(|bytes| Registration::from_bytes(bytes));
        self.may_have_tokens() && before.is_some_and(|before| !self.registration.ends_tokens_of(&before))
    }

    pub(super) fn may_have_tokens(&self) -> bool {
        self.policy.enabled && self.policy.capabilities.client_credentials
    }

    /// Ends and narrows the grants of which the client may have less, here and in the store.
    pub(super) fn restrict_tokens(&self, store: &dyn TokenStore) {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let restricted = grants.restrict(|terms| self.allows(terms), self.policy.token_lifetime);
        if let Some(lasting) = store.lasting().filter(|_| !restricted.is_empty()) {
            lasting.restrict(&restricted);
        }
    }
}

impl Settings {
    /// Returns the registrations of the clients that may have tokens, in their stored form.
    pub(super) fn registrations(&self) -> HashMap<ClientId, Vec<u8>> {
        let registration = |client: &Arc<Client>| (client.state.id().clone(), client.registration.to_bytes());
        self.clients.values().filter(|client| client.may_have_tokens()).map(registration).collect()
    }

    /// Keeps the registrations that differ from those before, and forgets those of other clients. The tokens
    /// that end by a change have to have ended in the store before.
    pub(super) fn register_clients(&self, before: &HashMap<ClientId, Vec<u8>>, store: &dyn TokenStore) {
        let Some(lasting) = store.lasting() else { return };
        let now = self.registrations();
        for (client, registration) in &now {
            if before.get(client) != Some(registration) {
                lasting.register(client, Some(registration.clone()));
            }
        }
        for client in before.keys().filter(|client| !now.contains_key(client)) {
            lasting.register(client, None);
        }
    }
}
