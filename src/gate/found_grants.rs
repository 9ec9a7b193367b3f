//! Grants that another process has made while both share the store, as in an upgrade.
//!
//! The settings of that process may permit what these settings do not. Its grants are therefore treated like
//! those from before a restart, before any token of them is found.

use std::sync::{Arc, PoisonError};

use crate::gate::instance::Gate;
use crate::gate::settings::Client;
use crate::oauth::grant::Grant;

impl Gate {
    /// Lets the store show each grant of another process to this gate.
    pub(super) fn watch_found_grants(&self) {
        if let Some(lasting) = self.inner.store.lasting() {
            let inner = Arc::downgrade(&self.inner);
            lasting.on_found(Box::new(move |grant| {
                if let Some(inner) = inner.upgrade() {
                    Self { inner }.adopt_found(grant);
                }
            }));
        }
    }

    /// Ends or narrows a grant as a reload would, and lets later reloads do so.
    fn adopt_found(&self, grant: &Arc<Grant>) {
        let store = &*self.inner.store;
        let Some(lasting) = store.lasting() else { return };
        let client = grant.client();
        let known = self.settings().clients.get(client.id().as_str()).map(Arc::clone);
        let restricted = match known {
            Some(known) if Arc::ptr_eq(&known.state, client) => {
                // As in `Gate::grant`: the settings are read under the lock, so that a reload which does not
                // count in them finds the grant later.
                let mut grants = known.grants.lock().unwrap_or_else(PoisonError::into_inner);
                grants.adopt(grant);
                let settings = self.settings();
                match settings.clients.get(client.id().as_str()) {
                    Some(now) if !self.inner.changed_clients.contain(client.id()) => now.restricts(grant),
                    _ => !grant.end(),
                }
            }
            _ => !grant.end(),
        };
        if restricted {
            lasting.restrict(std::slice::from_ref(grant));
        }
    }
}

impl Client {
    /// Ends or narrows a grant of which the client may have less. Returns whether it was.
    fn restricts(&self, grant: &Grant) -> bool {
        if !self.may_have_tokens() || !self.allows(grant.terms()) {
            return !grant.end();
        }
        grant.shorten(self.policy.token_lifetime)
    }
}
