//! The grant behind an access token, and its record in a store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;

use super::client::ClientState;
#[cfg(feature = "gateway")]
use super::grant_jwts::GrantJwts;
use super::scope::Scopes;
use crate::clock::Millis;

/// The properties that many tokens share: the client, its epoch, the scopes, the lifetime, the binding.
///
/// Tokens of one client on the same terms share one grant, which is why a stored token takes sixteen bytes.
#[derive(Debug)]
pub struct Grant {
    client: Arc<ClientState>,
    /// The epoch of the client in which the tokens live, or [`ENDED`].
    lives_in: AtomicU32,
    epoch: u32,
    terms: Terms,
    /// The lifetime in milliseconds: that of the terms, unless it was shortened.
    lifetime: AtomicU64,
    scope_header: Option<HeaderValue>,
    /// The registration of the client under which the tokens were issued, if it is known.
    registration: Option<Arc<[u8]>>,
    /// The JWTs that were signed for its tokens.
    #[cfg(feature = "gateway")]
    jwts: GrantJwts,
}

/// The epoch of a grant that has ended. A client reaches it after four billion revocations, and then all its
/// tokens end.
const ENDED: u32 = u32::MAX;

/// The terms on which a token is issued.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The granted scopes, in the order in which they were requested.
    pub scopes: Scopes,
    /// The lifetime of a token.
    pub lifetime: Duration,
    /// The resource that the token is for (RFC 8707), if one was requested.
    pub audience: Option<Box<str>>,
    /// What the sender must prove to hold besides the token.
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
    /// Both, each of which must be proved.
    Both {
        /// As [`Confirmation::Certificate`].
        certificate: [u8; 32],
        /// As [`Confirmation::Key`].
        key: [u8; 32],
    },
}

impl Confirmation {
    /// Makes the binding to a certificate, a key or both. Returns `None` if there is neither.
    #[must_use]
    pub fn new(certificate: Option<[u8; 32]>, key: Option<[u8; 32]>) -> Option<Self> {
        match (certificate, key) {
            (None, None) => None,
            (Some(certificate), None) => Some(Self::Certificate(certificate)),
            (None, Some(key)) => Some(Self::Key(key)),
            (Some(certificate), Some(key)) => Some(Self::Both { certificate, key }),
        }
    }

    /// Returns the thumbprint of the certificate, if the token is bound to one.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Certificate(certificate) | Self::Both { certificate, .. } => Some(certificate),
            Self::Key(_) => None,
        }
    }

    /// Returns the thumbprint of the DPoP key, if the token is bound to one.
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
    /// Makes a grant to `client` in `epoch`.
    #[must_use]
    pub fn new(client: Arc<ClientState>, epoch: u32, terms: Terms) -> Self {
        // Every scope that RFC 6749 §3.3 allows is a valid header value.
        let scope_header =
            (!terms.scopes.is_empty()).then(|| HeaderValue::from_str(terms.scopes.as_str()).ok()).flatten();
        let lifetime = u64::try_from(terms.lifetime.as_millis()).unwrap_or(u64::MAX);
        let (lives_in, lifetime) = (AtomicU32::new(epoch), AtomicU64::new(lifetime));
        Self {
            client,
            lives_in,
            epoch,
            terms,
            lifetime,
            scope_header,
            registration: None,
            #[cfg(feature = "gateway")]
            jwts: GrantJwts::default(),
        }
    }

    /// Sets the registration of the client under which the tokens are issued. Only gates read it: a gate
    /// refuses tokens of other gates that were issued under a registration which it does not have.
    #[must_use]
    pub fn under(mut self, registration: Option<Arc<[u8]>>) -> Self {
        self.registration = registration;
        self
    }

    /// Returns the client whose tokens these are.
    #[must_use]
    pub fn client(&self) -> &Arc<ClientState> {
        &self.client
    }

    /// Returns the terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns the epoch of the client in which the grant was made.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the registration of the client under which the tokens were issued, if it is known.
    #[must_use]
    pub fn registration(&self) -> Option<&Arc<[u8]>> {
        self.registration.as_ref()
    }

    /// Returns the scopes as a header value, which is made once per grant. Returns `None` if there are no
    /// scopes.
    #[must_use]
    pub fn scope_header(&self) -> Option<&HeaderValue> {
        self.scope_header.as_ref()
    }

    /// Returns whether neither the grant has ended, nor the client's tokens have been revoked as a whole
    /// since.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.client.epoch() == self.lives_in.load(Ordering::Relaxed)
    }

    /// Returns the JWTs that were signed for its tokens.
    #[cfg(feature = "gateway")]
    pub(crate) fn jwts(&self) -> &GrantJwts {
        &self.jwts
    }

    /// Ends all tokens of the grant. Returns `false`: the grant is not to be kept.
    pub(crate) fn end(&self) -> bool {
        self.lives_in.store(ENDED, Ordering::Relaxed);
        #[cfg(feature = "gateway")]
        self.jwts.clear();
        false
    }

    /// Shortens the lifetime of all tokens of the grant. Returns `false` if it is not longer.
    pub(crate) fn shorten(&self, longest: Duration) -> bool {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        self.lifetime.fetch_min(longest, Ordering::Relaxed) > longest
    }

    /// Returns the lifetime of the tokens: that of the terms, unless it was shortened.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime.load(Ordering::Relaxed))
    }
}

/// The record of one stored token.
#[derive(Debug, Clone)]
pub struct Record {
    grant: Arc<Grant>,
    issued: Millis,
}

impl Record {
    /// Makes the record of a token that was issued at `issued`.
    #[must_use]
    pub fn new(grant: Arc<Grant>, issued: Millis) -> Self {
        Self { grant, issued }
    }

    /// Returns the grant.
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// Returns when the token was issued.
    #[must_use]
    pub fn issued(&self) -> Millis {
        self.issued
    }

    /// Returns the first moment at which the token is no longer valid.
    #[must_use]
    pub fn expires(&self) -> Millis {
        Millis::new(self.issued.as_u64().saturating_add(self.grant.lifetime.load(Ordering::Relaxed)))
    }

    /// Returns whether the token is valid at `now`: neither expired nor revoked with all of its client's.
    #[must_use]
    pub fn is_live(&self, now: Millis) -> bool {
        now < self.expires() && self.grant.is_current()
    }

    /// Gives back the token's place among the live tokens of its client, once the store no longer keeps it.
    pub(crate) fn release(&self) {
        self.grant.client().release_place(self.grant.epoch());
    }
}
