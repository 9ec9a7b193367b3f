//! Applies a change of the clients to their tokens.
//!
//! A token is decided on by its grant alone, so if a client may do less, the grants that it has are ended or
//! narrowed. The table of all changes is in `docs/tokens-and-clients.md`, and `gate/tests/changes.rs` has a
//! test of each row.

use std::sync::Arc;

use crate::gate::settings::{Client, Settings};
use crate::oauth::client::ClientState;
use crate::oauth::grant::{Confirmation, Terms};
use crate::store::TokenStore;

impl Settings {
    /// Ends or narrows the grants of clients that may do less under these settings than before. Returns the
    /// clients of which all tokens have to end.
    pub(super) fn restrict_tokens<'a>(
        &'a self,
        before: &'a Self,
        store: &dyn TokenStore,
    ) -> Vec<&'a Arc<ClientState>> {
        let mut ended = Vec::new();
        for (id, old) in &before.clients {
            match self.clients.get(id) {
                Some(client) if !client.ends_tokens_of(old) => client.restrict_tokens(store),
                _ => ended.push(&old.state),
            }
        }
        ended
    }
}

impl Client {
    /// Returns whether the client could get a token on these terms, apart from their lifetime.
    pub(super) fn allows(&self, terms: &Terms) -> bool {
        let bound = terms.confirmation.as_ref();
        self.policy.scopes.contains_all(&terms.scopes)
            && terms
                .audience
                .as_ref()
                .is_none_or(|audience| self.audiences.iter().any(|known| **known == **audience))
            && (!self.dpop_bound_tokens || bound.and_then(Confirmation::key).is_some())
            && (!self.certificate_bound_tokens || bound.and_then(Confirmation::certificate).is_some())
    }

    /// Returns whether all tokens of the client as it was before end with the change to this one.
    pub(super) fn ends_tokens_of(&self, before: &Self) -> bool {
        !self.policy.enabled
            || (before.policy.capabilities.client_credentials && !self.policy.capabilities.client_credentials)
            || self.registration.ends_tokens_of(&before.registration)
    }
}
