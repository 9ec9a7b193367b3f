//! Clients: what configuration says of them, and the little that lives beside it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;

use super::scope::Scopes;

/// A client id: visible ASCII, spaces inside allowed (RFC 6749 appendix A.1, less what breaks headers).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// Takes a well-formed id; nothing for one that is empty, has other bytes, or a space at an end.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        (allowed && !text.is_empty() && text.trim() == text).then(|| Self(text.into()))
    }

    /// The id as text.
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

/// What a client may do at the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// May get tokens by the client-credentials grant.
    pub client_credentials: bool,
    /// May ask about any token (RFC 7662).
    pub introspection: bool,
}

/// What a client's configuration says about the tokens it may get. Programs make one by
/// [`ClientSpec::with_id`](crate::gate::ClientSpec::with_id).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientPolicy {
    /// What it may do.
    pub capabilities: Capabilities,
    /// The scopes it may ask for.
    pub scopes: Scopes,
    /// The scopes it gets when it asks for none.
    pub default_scopes: Scopes,
    /// How long its tokens live.
    pub token_lifetime: Duration,
    /// Whether it may do anything at all.
    pub enabled: bool,
}

/// The part of a client that outlives a reload of the configuration: who it is, its epoch, its live tokens.
///
/// Tokens point here. A token counts only while the epoch it was issued in is the current one, which makes
/// revoking all of a client's tokens a single store.
#[derive(Debug)]
pub struct ClientState {
    id: ClientId,
    header: HeaderValue,
    /// The epoch in the upper half, the number of live tokens issued in it in the lower: one atomic, so that
    /// a new epoch starts its count at zero and a late release of an old token cannot disturb it.
    epoch_and_live: AtomicU64,
}

const EPOCH_SHIFT: u32 = 32;
const LIVE: u64 = (1 << EPOCH_SHIFT) - 1;

impl ClientState {
    /// A client without tokens.
    #[must_use]
    pub fn new(id: ClientId) -> Arc<Self> {
        // Every byte of a client id may stand in a header value; were that ever untrue, an empty identity
        // is what no upstream takes for another client.
        let header = HeaderValue::from_str(id.as_str()).unwrap_or_else(|_| HeaderValue::from_static(""));
        Arc::new(Self { id, header, epoch_and_live: AtomicU64::new(0) })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> &ClientId {
        &self.id
    }

    /// The id as a header value, made once.
    #[must_use]
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// The epoch in which tokens are valid now.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.epoch_and_live.load(Ordering::Acquire) >> EPOCH_SHIFT).unwrap_or(u32::MAX)
    }

    /// How many of its tokens live.
    #[must_use]
    pub fn live_tokens(&self) -> u64 {
        self.epoch_and_live.load(Ordering::Relaxed) & LIVE
    }

    /// Revokes all tokens: none issued before this call is valid after it.
    pub fn revoke_all(&self) {
        let next = |word: u64| Some(((word >> EPOCH_SHIFT) + 1) << EPOCH_SHIFT);
        let _ = self.epoch_and_live.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    /// Counts one more token of `epoch`, unless there are `at_most` already or the epoch is over.
    #[must_use]
    pub fn take_place(&self, epoch: u32, at_most: u32) -> bool {
        let more = |word: u64| {
            (word >> EPOCH_SHIFT == u64::from(epoch) && word & LIVE < u64::from(at_most)).then(|| word + 1)
        };
        self.epoch_and_live.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// Gives back the place of a token issued in `epoch`.
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
        client.revoke_all();
        assert_eq!((client.epoch(), client.live_tokens()), (1, 0));
        client.release_place(0);
        assert_eq!(client.live_tokens(), 0, "a token of an earlier epoch holds no place");
        assert!(!client.take_place(0, 2), "the epoch is over");
        assert!(client.take_place(1, 2));
    }
}
