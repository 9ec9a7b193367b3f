//! `[clients.…]`.

use std::time::{Duration, SystemTime};

use crate::{
    config::{error::Place, units::Rate},
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
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// What it may do.
    pub capabilities: Capabilities,
    /// The scopes it may ask for.
    pub scopes: Scopes,
    /// What it gets when it asks for none; a part of `scopes`.
    pub default_scopes: Scopes,
    /// How long its tokens live: its own, or the token service's.
    pub token_lifetime: Duration,
    /// How many API requests it may make, all its tokens together.
    pub rate_limit: Option<Rate>,
    /// How it proves who it is: at least one way.
    pub authentication: ClientAuthentication,
    /// Whether its tokens are bound to the certificate they were asked for with (RFC 8705 §3).
    pub certificate_bound_tokens: bool,
    /// Whether its tokens are bound to a key by DPoP (RFC 9449).
    pub dpop_bound_tokens: bool,
    /// The audiences it may ask for (RFC 8707).
    pub audiences: Vec<String>,
    /// Where it stands in the file.
    pub place: Place,
}

/// The ways in which a client may authenticate; those that are not there are refused. Never all `None`.
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
    /// Its name in listings; [`ClientSecret::DEFAULT_ID`] for a client's only `secret`.
    pub id: String,
    /// What it is checked against.
    pub hash: SecretHash,
    /// From when on it is refused.
    pub expires: Option<SystemTime>,
    /// Where it stands in the file.
    pub place: Place,
}

impl ClientSecret {
    /// The id of a secret that stands alone as `secret = "…"`.
    pub const DEFAULT_ID: &'static str = "default";

    /// Tells it from others that go by the same id, and says nothing of the secret or its hash.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.hash.fingerprint()
    }
}
