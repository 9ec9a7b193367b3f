//! What an access token stands for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::client::ClientState;
use super::scope::Scopes;
use crate::clock::Millis;

/// What many tokens have in common: the client, its epoch, the scopes, the lifetime, what binds them.
///
/// Tokens of one client with the same scopes share one, which is why a stored token is sixteen bytes.
#[derive(Debug)]
pub struct Grant {
    client: Arc<ClientState>,
    epoch: u32,
    terms: Terms,
    /// The lifetime in milliseconds, made once.
    lifetime: u64,
    scope_header: Option<HeaderValue>,
}

/// The terms a token is given on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The scopes granted, in the order asked for.
    pub scopes: Scopes,
    /// How long a token lives.
    pub lifetime: Duration,
    /// The resource it is for (RFC 8707), where one was asked for.
    pub audience: Option<Box<str>>,
    /// What a sender must prove besides having the token.
    pub confirmation: Option<Confirmation>,
}

/// What a token is bound to, by SHA-256 thumbprints (RFC 7800's `cnf`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confirmation {
    /// The client certificate of the connection (`x5t#S256`, RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// The key of a DPoP proof (`jkt`, RFC 9449 §6.1).
    Key([u8; 32]),
    /// Both: each must be proved.
    Both {
        /// As [`Confirmation::Certificate`].
        certificate: [u8; 32],
        /// As [`Confirmation::Key`].
        key: [u8; 32],
    },
}

impl Confirmation {
    /// What binds a token to these; nothing where there are none.
    #[must_use]
    pub fn new(certificate: Option<[u8; 32]>, key: Option<[u8; 32]>) -> Option<Self> {
        match (certificate, key) {
            (None, None) => None,
            (Some(certificate), None) => Some(Self::Certificate(certificate)),
            (None, Some(key)) => Some(Self::Key(key)),
            (Some(certificate), Some(key)) => Some(Self::Both { certificate, key }),
        }
    }

    /// The certificate it names.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Certificate(certificate) | Self::Both { certificate, .. } => Some(certificate),
            Self::Key(_) => None,
        }
    }

    /// The DPoP key it names.
    #[must_use]
    pub fn key(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Key(key) | Self::Both { key, .. } => Some(key),
            Self::Certificate(_) => None,
        }
    }
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate(_) => "Confirmation::Certificate(…)",
            Self::Key(_) => "Confirmation::Key(…)",
            Self::Both { .. } => "Confirmation::Both(…)",
        })
    }
}

impl Grant {
    /// A grant to `client` in `epoch`.
    #[must_use]
    pub fn new(client: Arc<ClientState>, epoch: u32, terms: Terms) -> Self {
        // RFC 6749 §3.3 lets nothing into a scope that could not stand in a header.
        let scope_header =
            (!terms.scopes.is_empty()).then(|| HeaderValue::from_str(terms.scopes.as_str()).ok()).flatten();
        let lifetime = u64::try_from(terms.lifetime.as_millis()).unwrap_or(u64::MAX);
        Self { client, epoch, terms, lifetime, scope_header }
    }

    /// Whose tokens these are.
    #[must_use]
    pub fn client(&self) -> &Arc<ClientState> {
        &self.client
    }

    /// On what terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The epoch of the client in which it was given.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The scopes as a header value, made once; none where there are none.
    #[must_use]
    pub fn scope_header(&self) -> Option<&HeaderValue> {
        self.scope_header.as_ref()
    }

    /// Whether the client has not had all its tokens revoked since.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.client.epoch() == self.epoch
    }
}

/// One stored token.
#[derive(Debug, Clone)]
pub struct Record {
    grant: Arc<Grant>,
    issued: Millis,
}

impl Record {
    /// A token of `grant`, issued at `issued`.
    #[must_use]
    pub fn new(grant: Arc<Grant>, issued: Millis) -> Self {
        Self { grant, issued }
    }

    /// What it stands for.
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// When it was issued.
    #[must_use]
    pub fn issued(&self) -> Millis {
        self.issued
    }

    /// The first moment at which it is no longer valid.
    #[must_use]
    pub fn expires(&self) -> Millis {
        Millis::new(self.issued.as_u64().saturating_add(self.grant.lifetime))
    }

    /// Whether the token is valid at `now`: neither expired nor revoked with all of its client's.
    #[must_use]
    pub fn is_live(&self, now: Millis) -> bool {
        now < self.expires() && self.grant.is_current()
    }
}
