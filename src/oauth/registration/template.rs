//! The bounds of what clients may register.

use std::sync::Arc;
use std::time::Duration;

use crate::oauth::scope::Scopes;

/// The bounds of what clients may register with an initial access token, and the defaults for members that
/// they leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) name: Arc<str>,
    /// The scopes that a client may have. A client that names none gets all of them.
    pub(crate) scopes: Scopes,
    /// The scopes of a token whose request names none.
    pub(crate) default_scopes: Scopes,
    /// The longest lifetime of tokens.
    pub(crate) token_lifetime: Duration,
    /// The authentication methods that clients may use. There is at least one.
    pub(crate) methods: Vec<AuthMethod>,
    /// The resources that a client may request tokens for (RFC 8707).
    pub(crate) audiences: Vec<String>,
    /// Whether all tokens must be bound to a key (RFC 9449).
    pub(crate) dpop_bound_tokens: bool,
    /// The most clients that are registered at the same time.
    pub(crate) max_clients: usize,
    /// How long a client may be unused before it is removed.
    pub(crate) unused_expiry: Duration,
}

/// How a registered client authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    Basic,
    Post,
    PrivateKeyJwt,
}

impl AuthMethod {
    pub(crate) const ALL: [(&'static str, Self); 3] = [
        ("client_secret_basic", Self::Basic),
        ("client_secret_post", Self::Post),
        ("private_key_jwt", Self::PrivateKeyJwt),
    ];

    /// Returns the name of `token_endpoint_auth_method` (RFC 7591 §2).
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Reads a name of `token_endpoint_auth_method`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, method)| (known == name).then_some(method))
    }

    /// Returns whether the client has a secret.
    pub(crate) fn has_secret(self) -> bool {
        matches!(self, Self::Basic | Self::Post)
    }
}
