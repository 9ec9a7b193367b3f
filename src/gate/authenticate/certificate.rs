//! Mutual TLS: a client that holds the key of a certificate (RFC 8705 §2).

use std::sync::Arc;

use super::super::Gate;
use super::super::settings::{Client, Settings};
use super::Origin;
use crate::oauth::certificate::Certificate;
use crate::oauth::denial::TokenError;

impl Gate {
    pub(super) fn authenticate_certificate(
        &self,
        settings: &Settings,
        client_id: &str,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        // Read before it is known whether there is such a client: the same work for all.
        let read = origin.certificate.and_then(|shown| Certificate::parse(shown.der).ok());
        let is_certified = |client: &&Arc<Client>| {
            let Some(shown) = &origin.certificate else { return false };
            // RFC 8705 §2.1: a name counts in a certificate that an authority vouches for.
            let named = |subject| {
                shown.verified && read.as_ref().is_some_and(|certificate| certificate.is_of(subject))
            };
            client.certificate_subject.as_ref().is_some_and(named)
                // RFC 8705 §2.2: the certificate itself is what the client is registered with.
                || client.certificate_thumbprint.as_ref() == Some(shown.sha256)
        };
        let client = settings.clients.get(client_id).filter(|client| client.policy.enabled);
        match client.filter(is_certified) {
            // It costs next to nothing to find out, so it is never throttled.
            Some(client) => Ok(Arc::clone(client)),
            None => {
                self.admit(settings, client_id, origin)?;
                Err(TokenError::InvalidClient)
            }
        }
    }
}
