//! `[clients.…]`.

use std::time::{Duration, SystemTime};

use crate::{
    config::{error::Place, units::Rate},
    gate::SecretHash,
    oauth::scope::Scopes,
};

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The client id: visible ASCII, inner spaces allowed.
    pub id: String,
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

/// What a client may do at the OAuth endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// It may get tokens (RFC 6749 §4.4).
    pub client_credentials: bool,
    /// It may ask about any token (RFC 7662).
    pub introspection: bool,
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
    pub tls_client_auth: Option<CertificateName>,
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

/// Where a client's public keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// From the file.
    Inline(Jwks),
    /// From this `https` URL (`http` only on loopback).
    Uri(String),
}

/// Public keys (RFC 7517 §5), each checked to hold no private part and what its type needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks(pub Vec<serde_json::Map<String, serde_json::Value>>);

/// What a client certificate's subject must be (RFC 8705 §2.1.2): exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// `tls_subject_dn`: the subject's distinguished name, in the string form of RFC 4514.
    SubjectDn(String),
    /// `tls_san_dns`: a dNSName, lower case.
    SanDns(String),
    /// `tls_san_uri`: a uniformResourceIdentifier.
    SanUri(String),
}
