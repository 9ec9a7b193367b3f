//! What a change of the clients does to the tokens that they have.
//!
//! A token is decided on by its grant alone, so if a client may do less, the grants that it has are ended or narrowed. The
//! table of what changes what is in `docs/tokens-and-clients.md`, and `gate/tests/changes.rs` has a test of each row.

use std::sync::{Arc, PoisonError};

#[cfg(feature = "jose")]
use crate::gate::keys::ClientKeys;
use crate::gate::settings::{Client, Settings};
use crate::oauth::client::ClientState;
use crate::oauth::grant::{Confirmation, Terms};

impl Settings {
    /// Ends or narrows the grants of clients that may do less under these settings than before. Returns the clients of
    /// which all tokens have to end.
    pub(super) fn restrict_tokens<'a>(&'a self, before: &'a Self) -> Vec<&'a Arc<ClientState>> {
        let mut ended = Vec::new();
        for (id, old) in &before.clients {
            match self.clients.get(id) {
                Some(client) if !client.ends_tokens_of(old) => {
                    let mut grants = client.grants.lock().unwrap_or_else(PoisonError::into_inner);
                    grants.restrict(|terms| client.allows(terms), client.policy.token_lifetime);
                }
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
            || self.token_generation != before.token_generation
            || (before.policy.capabilities.client_credentials && !self.policy.capabilities.client_credentials)
            || self.lost_a_key_of(before)
    }

    /// Returns whether something that the client proved itself with before does so no more. Secrets do not count: they
    /// are rotated as a routine, and `reset-secret --revoke-tokens` says that one was leaked.
    #[cfg(feature = "jose")]
    fn lost_a_key_of(&self, before: &Self) -> bool {
        let keys = match (&before.keys, &self.keys) {
            (None, _) => false,
            (Some(before), Some(now)) => now.lack_a_key_of(before),
            (Some(_), None) => true,
        };
        let subject =
            before.certificate_subject.is_some() && before.certificate_subject != self.certificate_subject;
        let thumbprint = before.certificate_thumbprint.is_some()
            && before.certificate_thumbprint != self.certificate_thumbprint;
        keys || subject || thumbprint
    }

    #[cfg(not(feature = "jose"))]
    fn lost_a_key_of(&self, _: &Self) -> bool {
        false
    }
}

#[cfg(feature = "jose")]
impl ClientKeys {
    /// Returns whether a key of `before` is missing here. Keys at a URL are the client's own to change.
    fn lack_a_key_of(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::Remote(before), Self::Remote(now)) => before.uri() != now.uri(),
            (Self::Inline(before), Self::Inline(now)) => {
                let kept = |thumbprint| now.keys().iter().any(|key| key.thumbprint() == thumbprint);
                !before.keys().iter().all(|key| kept(key.thumbprint()))
            }
            (Self::Inline(_), Self::Remote(_)) | (Self::Remote(_), Self::Inline(_)) => true,
        }
    }
}
