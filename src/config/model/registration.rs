//! `[token_service.registration]`.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use crate::{config::units::Rate, oauth::scope::Scopes};

/// How clients register themselves (RFC 7591).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// The path where clients register.
    pub endpoint: String,
    /// The most registered clients.
    pub max_clients: NonZeroU32,
    /// The most requests a minute to register with one initial access token; ten times as many for an
    /// address.
    pub max_per_minute: NonZeroU32,
    /// The bounds of what clients may register, in the order of the file; names are distinct.
    pub templates: Vec<RegistrationTemplate>,
    /// The initial access tokens, in the order of the file; names are distinct.
    pub tokens: Vec<InitialAccessToken>,
    /// The ids of registered clients that are disabled.
    pub disabled_clients: Vec<String>,
    /// The ids of registered clients that are removed.
    pub removed_clients: Vec<String>,
}

/// The bounds of what clients may register.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationTemplate {
    /// The name.
    pub name: String,
    /// The scopes that a client may have.
    pub scopes: Scopes,
    /// The scopes of a token if the request names none; each is one of `scopes`.
    pub default_scopes: Scopes,
    /// The longest lifetime of tokens.
    pub token_lifetime: Duration,
    /// How clients may authenticate: at least one way.
    pub methods: Vec<RegistrationMethod>,
    /// The audiences that a client may ask for (RFC 8707).
    pub audiences: Vec<String>,
    /// Whether all tokens are bound to a key by DPoP (RFC 9449).
    pub dpop_bound_tokens: bool,
    /// The API requests that each client may make, with all its tokens together. `None` is no limit.
    pub rate_limit: Option<Rate>,
    /// The most clients that are registered at the same time.
    pub max_clients: NonZeroU32,
    /// How long a client may be unused before it is removed.
    pub unused_expiry: Duration,
}

/// How a registered client authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationMethod {
    /// `client_secret_basic`.
    SecretBasic,
    /// `client_secret_post`.
    SecretPost,
    /// `private_key_jwt`.
    PrivateKeyJwt,
}

impl Registration {
    /// Returns whether a text can be the name of a template or of an initial access token: 1 to 64 letters,
    /// digits, dots, hyphens and underscores.
    pub(crate) fn is_name(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    }
}

impl RegistrationMethod {
    /// Returns the name of the method in `token_endpoint_auth_methods`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// An initial access token (RFC 7591 §1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InitialAccessToken {
    /// The name in listings.
    pub name: String,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// The name of its template.
    pub template: String,
    /// When it stops being accepted.
    pub expires: Option<SystemTime>,
    /// How many clients can be registered with it.
    pub max_uses: Option<NonZeroU32>,
}
