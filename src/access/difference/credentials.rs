//! Lists the credentials of a client.

use std::time::SystemTime;

use crate::config::{Client, ClientAuthentication};
use crate::gate::KeySource;
use crate::oauth::certificate::Subject;
use crate::oauth::thumbprint::Thumbprint;

/// One credential of a client.
#[derive(PartialEq, Eq)]
pub(super) struct Credential {
    /// The name of the credential, which contains nothing secret.
    pub(super) label: String,
    identity: Identity,
}

/// The value that distinguishes credentials with the same name.
#[derive(PartialEq, Eq)]
enum Identity {
    /// The label alone identifies the credential.
    Label,
    Hash(String),
    Key(Thumbprint),
    Subject(Subject),
}

/// Lists the credentials that a client can authenticate with at `now`. A disabled client has none.
pub(super) fn credentials(client: &Client, now: SystemTime) -> Vec<Credential> {
    let mut found = Vec::new();
    let mut add = |label: String, identity| found.push(Credential { label, identity });
    if !client.enabled {
        return found;
    }
    let ClientAuthentication {
        secret, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, ..
    } = &client.authentication;
    for secret in secret.iter().flat_map(|secret| &secret.secrets) {
        if secret.expires.is_none_or(|expires| now < expires) {
            add(format!("secret \"{}\"", secret.id), Identity::Hash(secret.hash.to_phc()));
        }
    }
    match private_key_jwt {
        None => {}
        Some(KeySource::Uri(uri)) => add(format!("signing keys at {uri}"), Identity::Label),
        Some(KeySource::Inline(keys)) => {
            for key in keys.keys() {
                let id =
                    key.kid().map_or_else(|| "signing key".to_owned(), |id| format!("signing key \"{id}\""));
                add(id, Identity::Key(key.thumbprint()));
            }
        }
    }
    if let Some(subject) = tls_client_auth {
        add(format!("client certificate with {}", described(subject)), Identity::Subject(subject.clone()));
    }
    if let Some(thumbprint) = self_signed_tls_client_auth {
        add(format!("client certificate {}", Thumbprint::from_bytes(*thumbprint)), Identity::Label);
    }
    found
}

fn described(subject: &Subject) -> String {
    match subject {
        Subject::Dn(_) => "the configured subject".to_owned(),
        Subject::Dns(name) => format!("the DNS name {name}"),
        Subject::Uri(uri) => format!("the URI {uri}"),
        Subject::Ip(ip) => format!("the address {ip}"),
        Subject::Email(address) => format!("the email address {address}"),
    }
}
