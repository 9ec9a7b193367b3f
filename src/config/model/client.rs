//! `[clients.…]`.

use std::time::{Duration, SystemTime};

use crate::{
    config::{error::Position, units::Rate},
    gate::{KeySource, SecretHash},
    oauth::{
        certificate::Subject,
        client::{Capabilities, ClientId},
        scope::Scopes,
    },
};

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The client id.
    pub id: ClientId,
    /// Whether the client may authenticate, and whether its tokens are valid.
    pub enabled: bool,
    /// The capabilities of the client at the OAuth endpoints.
    pub capabilities: Capabilities,
    /// The scopes it may ask for.
    pub scopes: Scopes,
    /// The scopes of a token if the request names none; each is one of `scopes`.
    pub default_scopes: Scopes,
    /// The lifetime of its tokens: its own, or the one of the token service.
    pub token_lifetime: Duration,
    /// The API requests that it may make with all its tokens together.
    pub rate_limit: Option<Rate>,
    /// The ways in which the client authenticates: at least one.
    pub authentication: ClientAuthentication,
    /// Whether the client's tokens are bound to the certificate with which it requested them (RFC 8705 §3).
    pub certificate_bound_tokens: bool,
    /// Whether the client's tokens are bound to a key by DPoP (RFC 9449).
    pub dpop_bound_tokens: bool,
    /// The number that ends the client's tokens when it changes.
    pub token_generation: u64,
    /// The audiences it may ask for (RFC 8707).
    pub audiences: Vec<String>,
    /// The position in the file.
    pub position: Position,
}

impl Client {
    /// Returns the names of its capabilities.
    #[cfg(feature = "gateway")]
    pub(crate) fn capability_names(&self) -> Vec<&'static str> {
        let has = self.capabilities;
        [(has.client_credentials, "client_credentials"), (has.introspection, "introspection")]
            .into_iter()
            .filter_map(|(there, name)| there.then_some(name))
            .collect()
    }

    /// Returns how it may authenticate, as `token_endpoint_auth_methods` names it.
    #[cfg(feature = "gateway")]
    pub(crate) fn authentication_methods(&self) -> Vec<&'static str> {
        let has = &self.authentication;
        [
            (has.secret.as_ref().is_some_and(|secret| secret.basic), "client_secret_basic"),
            (has.secret.as_ref().is_some_and(|secret| secret.post), "client_secret_post"),
            (has.private_key_jwt.is_some(), "private_key_jwt"),
            (has.tls_client_auth.is_some(), "tls_client_auth"),
            (has.self_signed_tls_client_auth.is_some(), "self_signed_tls_client_auth"),
        ]
        .into_iter()
        .filter_map(|(there, name)| there.then_some(name))
        .collect()
    }
}

/// The ways in which a client may authenticate. Every other way is refused. At least one is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClientAuthentication {
    /// `client_secret_basic` and `client_secret_post`.
    pub secret: Option<SecretAuthentication>,
    /// `private_key_jwt` (RFC 7523).
    pub private_key_jwt: Option<KeySource>,
    /// `tls_client_auth` (RFC 8705 §2.1).
    pub tls_client_auth: Option<Subject>,
    /// `self_signed_tls_client_auth` (RFC 8705 §2.2): the SHA-256 of the certificate.
    pub self_signed_tls_client_auth: Option<[u8; 32]>,
}

/// Authentication by a shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretAuthentication {
    /// HTTP Basic is allowed.
    pub basic: bool,
    /// `client_id` and `client_secret` in the body are allowed.
    pub post: bool,
    /// At least one; ids are distinct.
    pub secrets: Vec<ClientSecret>,
}

/// One of a client's secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientSecret {
    /// The name in listings; [`ClientSecret::DEFAULT_ID`] for a client's only `secret`.
    pub id: String,
    /// The hash that the secret is compared with.
    pub hash: SecretHash,
    /// When it stops being accepted.
    pub expires: Option<SystemTime>,
    /// The position in the file.
    pub position: Position,
}

impl ClientSecret {
    /// The id of the secret in `secret = "…"`.
    pub const DEFAULT_ID: &'static str = "default";

    /// Returns a text that differs for other secrets of the same id, and reveals nothing of the secret or its
    /// hash.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.hash.fingerprint()
    }
}
