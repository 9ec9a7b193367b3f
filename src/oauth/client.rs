//! Clients: their configuration, and their state that outlives a reload.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;

use super::scope::Scopes;

/// A client id: visible ASCII with inner spaces (RFC 6749 appendix A.1, without leading and trailing spaces,
/// which a header cannot carry).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// Checks an id. Returns `None` if it is empty, has other bytes, or begins or ends with a space.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        (allowed && !text.is_empty() && text.trim() == text).then(|| Self(text.into()))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The capabilities of a client at the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether it may get tokens by the client-credentials grant.
    pub client_credentials: bool,
    /// Whether it may introspect any token (RFC 7662).
    pub introspection: bool,
}

/// The configuration of the tokens that a client may get. Programs make one with
/// [`ClientSpec::with_id`](crate::ClientSpec::with_id).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientPolicy {
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// The scopes that it may request.
    pub scopes: Scopes,
    /// The scopes that it gets if it requests none.
    pub default_scopes: Scopes,
    /// The lifetime of its tokens.
    pub token_lifetime: Duration,
    /// Whether it is enabled. A disabled client is treated as unknown.
    pub enabled: bool,
}

/// The part of a client that outlives a reload of the configuration: its id, its epoch and its number of live
/// tokens.
///
/// Tokens refer to it. A token is valid only in the epoch in which it was issued, so that a single store
/// revokes all tokens of a client.
#[derive(Debug)]
pub struct ClientState {
    id: ClientId,
    header: HeaderValue,
    /// The epoch in the upper half and the number of live tokens of that epoch in the lower half. They are
    /// one atomic, so that a new epoch starts at zero and a late release of an old token does not change its
    /// count.
    epoch_and_live: AtomicU64,
}

const EPOCH_SHIFT: u32 = 32;
const LIVE: u64 = (1 << EPOCH_SHIFT) - 1;

impl ClientState {
    /// Makes a client without tokens.
    #[must_use]
    pub fn new(id: ClientId) -> Arc<Self> {
        // Every client id is a valid header value. If one were not, the identity would be empty, which no
        // upstream takes for another client.
        let header = HeaderValue::from_str(id.as_str()).unwrap_or_else(|_| HeaderValue::from_static(""));
        Arc::new(Self { id, header, epoch_and_live: AtomicU64::new(0) })
    }

    /// Returns the client id.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// Returns the client id as a header value, which is made once.
    #[must_use]
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Returns the current epoch.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.epoch_and_live.load(Ordering::Acquire) >> EPOCH_SHIFT).unwrap_or(u32::MAX)
    }

    /// Returns the number of live tokens.
    #[must_use]
    pub fn live_tokens(&self) -> u64 {
        self.epoch_and_live.load(Ordering::Relaxed) & LIVE
    }

    /// Revokes all tokens that were issued before this call. Returns the epoch that begins.
    pub fn revoke_all(&self) -> u32 {
        let next = |word: u64| Some(((word >> EPOCH_SHIFT) + 1) << EPOCH_SHIFT);
        let before = self.epoch_and_live.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        let before = before.unwrap_or_else(|unchanged| unchanged);
        u32::try_from((before >> EPOCH_SHIFT) + 1).unwrap_or(u32::MAX)
    }

    /// Revokes all tokens of epochs before `epoch`. It does nothing if that epoch has begun already.
    pub fn advance_to(&self, epoch: u32) {
        let later =
            |word: u64| (word >> EPOCH_SHIFT < u64::from(epoch)).then(|| u64::from(epoch) << EPOCH_SHIFT);
        let _ = self.epoch_and_live.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
    }

    /// Counts one more token of `epoch`. Returns `false` if there are `at_most` already, or if the epoch is
    /// over.
    #[must_use]
    pub fn take_place(&self, epoch: u32, at_most: u32) -> bool {
        let more = |word: u64| {
            (word >> EPOCH_SHIFT == u64::from(epoch) && word & LIVE < u64::from(at_most)).then(|| word + 1)
        };
        self.epoch_and_live.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// Counts one token of `epoch` less.
    pub fn release_place(&self, epoch: u32) {
        let less = |word: u64| (word >> EPOCH_SHIFT == u64::from(epoch) && word & LIVE > 0).then(|| word - 1);
        let _ = self.epoch_and_live.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for good in ["server", "a b", "x:y%/\"\\", "~"] {
            assert!(ClientId::new(good).is_some(), "{good:?}");
        }
        for bad in ["", " ", "a ", " a", "é", "a\tb", "a\n", "\u{7f}"] {
            assert!(ClientId::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn places_belong_to_their_epoch() {
        let client = ClientState::new(ClientId::new("a").unwrap());
        assert!(client.take_place(0, 2) && client.take_place(0, 2));
        assert!(!client.take_place(0, 2));
        client.release_place(0);
        assert_eq!(client.live_tokens(), 1);
        assert_eq!(client.revoke_all(), 1);
        client.advance_to(1);
        assert_eq!((client.epoch(), client.live_tokens()), (1, 0));
        client.release_place(0);
        assert_eq!(client.live_tokens(), 0, "a token of an earlier epoch holds no place");
        assert!(!client.take_place(0, 2), "the epoch is over");
        assert!(client.take_place(1, 2));
        client.advance_to(1);
        assert_eq!(client.live_tokens(), 1, "the epoch had begun already");
        client.advance_to(5);
        assert_eq!((client.epoch(), client.live_tokens()), (5, 0));
    }
}
