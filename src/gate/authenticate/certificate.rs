//! Mutual TLS: clients that hold the key of a certificate (RFC 8705 §2).

use std::sync::Arc;

use crate::gate::instance::Gate;
use crate::gate::origin::Origin;
use crate::gate::settings::{Client, Settings};
use crate::oauth::certificate::Certificate;
use crate::oauth::token_error::TokenError;

impl Gate {
    pub(super) fn authenticate_certificate(
        &self,
        settings: &Settings,
        client_id: &str,
        origin: Origin<'_>,
    ) -> Result<Arc<Client>, TokenError> {
        // Parsed before the client is looked up, so that the work is the same for known and unknown clients.
        let read = origin.certificate.and_then(|shown| Certificate::parse(shown.der).ok());
        let is_certified = |client: &&Arc<Client>| {
            let Some(shown) = &origin.certificate else { return false };
            // RFC 8705 §2.1: a name counts only in a certificate that a trusted authority has signed.
            let named = |subject| {
                shown.verified && read.as_ref().is_some_and(|certificate| certificate.is_of(subject))
            };
            client.certificate_subject.as_ref().is_some_and(named)
                // RFC 8705 §2.2: the certificate itself is what the client is registered with.
                || client.certificate_thumbprint.as_ref() == Some(shown.sha256)
        };
        let client = settings.clients.get(client_id).filter(|client| client.policy.enabled);
        // The check costs next to nothing and there is nothing to guess, so failures do not count. Otherwise
        // requests that only name a client could lock out everyone behind their address.
        client.filter(is_certified).map(Arc::clone).ok_or(TokenError::InvalidClient)
    }
}
