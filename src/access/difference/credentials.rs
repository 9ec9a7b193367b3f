//! What a client can authenticate with.

use std::time::SystemTime;

use crate::config::{Client, ClientAuthentication};
use crate::gate::KeySource;
use crate::oauth::certificate::Subject;

/// One credential of a client.
#[derive(PartialEq, Eq)]
pub(super) struct Credential {
    /// Its name, which shows nothing secret.
    pub(super) label: String,
    /// What distinguishes it from another credential of the same name.
    identity: String,
}

impl Credential {
    fn new(label: impl Into<String>, identity: impl Into<String>) -> Self {
        Self { label: label.into(), identity: identity.into() }
    }
}

/// Lists what a client can authenticate with at `now`. A disabled client has no credentials.
pub(super) fn credentials(client: &Client, now: SystemTime) -> Vec<Credential> {
    let mut found = Vec::new();
    if !client.enabled {
        return found;
    }
    let ClientAuthentication {
        secret, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, ..
    } = &client.authentication;
    for secret in secret.iter().flat_map(|secret| &secret.secrets) {
        if secret.expires.is_none_or(|expires| now < expires) {
            found.push(Credential::new(format!("secret \"{}\"", secret.id), secret.hash.to_phc()));
        }
    }
    match private_key_jwt {
        None => {}
        Some(KeySource::Uri(uri)) => found.push(Credential::new(format!("signing keys at {uri}"), "")),
        Some(KeySource::Inline(keys)) => {
            for key in keys.keys() {
                let id = key.kid().unwrap_or("without a kid");
                found.push(Credential::new(format!("signing key \"{id}\""), key.thumbprint().to_string()));
            }
        }
    }
    if let Some(name) = tls_client_auth {
        let label = match name {
            Subject::Dn(_) => "the configured subject".to_owned(),
            Subject::Dns(name) => format!("DNS name {name}"),
            Subject::Uri(uri) => format!("URI {uri}"),
            Subject::Ip(address) => format!("address {address}"),
            Subject::Email(mailbox) => format!("mailbox {mailbox}"),
        };
        found.push(Credential::new(format!("client certificate with {label}"), format!("{name:?}")));
    }
    if let Some(thumbprint) = self_signed_tls_client_auth {
        let thumbprint = crate::oauth::thumbprint::Thumbprint::from_bytes(*thumbprint);
        found.push(Credential::new(format!("client certificate {thumbprint}"), ""));
    }
    found
}
