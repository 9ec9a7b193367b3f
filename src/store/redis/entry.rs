//! The values of tokens in the engine, and the entries of the log.

use crate::oauth::client::ClientId;
use crate::oauth::token::TokenDigest;
use crate::store::redis::keys::{digest_of, text_of};
use crate::store::stored::StoredGrant;

/// The first byte of a token that is valid until it expires. Its grant follows.
const TOKEN: u8 = b'T';
/// The value of a revoked token whose entry is not in the log yet.
pub(super) const REVOKED: &[u8] = b"R";
/// The value of a revoked token whose entry was appended to the log.
pub(super) const REVOKED_AND_LOGGED: &[u8] = b"L";

/// The value of a token's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A token.
    Token(StoredGrant),
    /// A tombstone: the token was revoked. `logged` says whether an entry for the token was appended to the
    /// log.
    Revoked { logged: bool },
}

impl Value {
    /// Reads a value. Returns `None` for a value that no gateway has written.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        match bytes {
            REVOKED => Some(Self::Revoked { logged: false }),
            REVOKED_AND_LOGGED => Some(Self::Revoked { logged: true }),
            [TOKEN, grant @ ..] => StoredGrant::from_bytes(grant).map(Self::Token),
            _ => None,
        }
    }
}

/// Writes the value of a token.
pub(super) fn token(grant: &StoredGrant) -> Vec<u8> {
    let mut value = vec![TOKEN];
    value.extend_from_slice(&grant.to_bytes());
    value
}

/// An entry of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A token was revoked. Its remaining lifetime was this many milliseconds.
    Revoked(TokenDigest, u64),
    /// Tokens of the client that were issued in earlier epochs are revoked.
    Epoch(ClientId, u32),
}

impl Entry {
    /// Reads an entry. Returns `None` for an entry of a later version.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(1)?;
        let (first, second) = rest.split_once(' ')?;
        match kind {
            "r" => Some(Self::Revoked(digest_of(first)?, second.parse().ok()?)),
            "e" => Some(Self::Epoch(ClientId::new(second)?, first.parse().ok()?)),
            _ => None,
        }
    }
}

/// Writes the entry of a revocation, without its kind.
pub(super) fn revocation(token: &TokenDigest, left: u64) -> String {
    format!("{} {left}", text_of(token))
}

/// A position in the log.
///
/// The first number is the time at which the log was created, so that a log that was created again is a
/// different one. The second number counts the entries without gaps, so that a reader notices entries that
/// were trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) log: u64,
    pub(super) entry: u64,
}

impl Position {
    pub(super) fn read(id: &str) -> Option<Self> {
        let (log, entry) = id.split_once('-')?;
        Some(Self { log: log.parse().ok()?, entry: entry.parse().ok()? })
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.log, self.entry)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::oauth::grant::Terms;
    use crate::oauth::scope::Scopes;

    #[test]
    fn values_and_entries_are_read_as_they_were_written() {
        let client = ClientId::new("a server").unwrap();
        let terms = Terms {
            scopes: Scopes::parse("read").unwrap(),
            lifetime: Duration::from_secs(299),
            audience: None,
            confirmation: None,
        };
        let grant = StoredGrant {
            client: client.clone(),
            epoch: 3,
            terms,
            registration: Some([7; 9].as_slice().into()),
        };
        assert_eq!(Value::read(&token(&grant)), Some(Value::Token(grant)));
        assert_eq!(Value::read(REVOKED), Some(Value::Revoked { logged: false }));
        assert_eq!(Value::read(REVOKED_AND_LOGGED), Some(Value::Revoked { logged: true }));
        for other in [&b""[..], b"T", b"RR", b"X"] {
            assert_eq!(Value::read(other), None, "{other:?}");
        }
        let digest = TokenDigest::from_bytes([7; 16]);
        let revoked = format!("r{}", revocation(&digest, 298_000));
        assert_eq!(Entry::read(&revoked), Some(Entry::Revoked(digest, 298_000)));
        assert_eq!(Entry::read("e4 a server"), Some(Entry::Epoch(client, 4)));
        for other in ["", "r", "é", "x1 2", "rAA 1", "e-1 a", "e4  "] {
            assert_eq!(Entry::read(other), None, "{other:?}");
        }
        let position = Position { log: 1_764_246_000_000, entry: 12 };
        assert_eq!(Position::read(&position.to_string()), Some(position));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".{0,80}") {
            let _ = (Entry::read(&text), Value::read(text.as_bytes()), Position::read(&text));
        }
    }
}
