//! A set of public keys (RFC 7517 §5).

use super::json::Object;
use super::{Algorithm, Jwk, JwkError};
use serde_json::Value;
use std::fmt;

/// A client's public keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jwks {
    keys: Vec<Jwk>,
    ignored: Vec<Ignored>,
}

/// A key of a set that is not supported, and is ignored (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its index in `keys`.
    pub index: usize,
    /// The reason.
    pub reason: JwkError,
}

/// The error for text that is not a set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwksError {
    /// It is not a JSON object without repeated names and with a list `keys`.
    Malformed,
    /// It is longer than [`Jwks::MAX_LENGTH`] bytes.
    TooLong,
    /// It has more than [`Jwks::MAX_KEYS`] keys.
    TooMany(usize),
    /// The key at `index` has the private member `name`. The whole set is refused, because everyone who can
    /// read it could act as the client.
    Private {
        /// Its index in `keys`.
        index: usize,
        /// The private member.
        name: &'static str,
    },
}

/// How many keys are tried for one signature. Without a `kid`, all keys that fit the signature are tried; a
/// rotation needs two. The bound limits the cost of a signature from anyone.
pub(super) const MAX_TRIES: usize = 4;

impl Jwks {
    /// The largest number of keys in a set.
    pub const MAX_KEYS: usize = 32;
    /// The longest text that [`Jwks::parse`] reads, in bytes.
    pub const MAX_LENGTH: usize = 128 * 1024;

    /// Parses a JWK Set. A set without any usable key is valid: a client publishes one to withdraw all its
    /// keys.
    ///
    /// # Errors
    /// A [`JwksError`] if it is malformed, too large, or contains a private key. Unsupported keys are not an
    /// error; they are listed in [`Jwks::ignored`].
    pub fn parse(json: &[u8]) -> Result<Self, JwksError> {
        if json.len() > Self::MAX_LENGTH {
            return Err(JwksError::TooLong);
        }
        let mut object = Object::parse(json).ok_or(JwksError::Malformed)?;
        let Some(Value::Array(listed)) = object.take("keys") else {
            return Err(JwksError::Malformed);
        };
        if listed.len() > Self::MAX_KEYS {
            return Err(JwksError::TooMany(listed.len()));
        }
        let mut set = Self::default();
        for (index, value) in listed.into_iter().enumerate() {
            match Jwk::from_value(value) {
                Ok(key) => set.keys.push(key),
                Err(JwkError::Private(name)) => return Err(JwksError::Private { index, name }),
                Err(reason) => set.ignored.push(Ignored { index, reason }),
            }
        }
        Ok(set)
    }

    /// Returns the usable keys.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Returns the unsupported keys.
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// Returns the keys that may have made a signature with this header.
    ///
    /// A `kid` selects the keys with that name. If there is none, keys without a name are used: a key that
    /// was pasted into a configuration file often has none.
    pub(super) fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> impl Iterator<Item = &Jwk> {
        let named = kid.is_some_and(|kid| self.keys.iter().any(|key| key.kid() == Some(kid)));
        self.keys
            .iter()
            .filter(move |key| match kid {
                None => true,
                Some(kid) if named => key.kid() == Some(kid),
                Some(_) => key.kid().is_none(),
            })
            .filter(move |key| key.fits(algorithm))
            .take(MAX_TRIES)
    }
}

impl From<Jwk> for Jwks {
    fn from(key: Jwk) -> Self {
        Self { keys: vec![key], ignored: Vec::new() }
    }
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("not a JWK Set: a JSON object with a list \"keys\", each name once")
            }
            Self::TooLong => write!(f, "a JWK Set longer than {} bytes", Jwks::MAX_LENGTH),
            Self::TooMany(count) => write!(f, "a JWK Set of {count} keys ({} are accepted)", Jwks::MAX_KEYS),
            Self::Private { index, name } => write!(f, "keys[{index}]: {}", JwkError::Private(name)),
        }
    }
}

impl std::error::Error for JwksError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::jose::testing::{RFC7517_EC, TestKey};

    fn parse(json: &str) -> Result<Jwks, JwksError> {
        Jwks::parse(json.as_bytes())
    }

    #[test]
    fn other_keys_are_ignored_with_their_reason() {
        let json = format!(
            r#"{{"keys":[
                {{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}},
                {RFC7517_EC},
                {{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}},
                {{"kty":"EC"}},
                7,
                {{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}}
            ],"more":1}}"#
        );
        let set = parse(&json).unwrap();
        assert_eq!(set.keys().len(), 1);
        let reasons: Vec<_> = set.ignored().iter().map(|one| (one.index, one.reason)).collect();
        assert_eq!(
            reasons,
            [
                (0, JwkError::KeyType),
                (2, JwkError::Curve),
                (3, JwkError::Curve),
                (4, JwkError::Malformed),
                (5, JwkError::Use),
            ]
        );
    }

    #[test]
    fn text_that_is_not_a_set() {
        let many = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec![RFC7517_EC; count].join(","));
        assert_eq!(parse(&many(32)).map(|set| set.keys().len()), Ok(32));
        assert_eq!(parse(&many(33)), Err(JwksError::TooMany(33)));
        assert_eq!(parse(r#"{"keys":[]}"#), Ok(Jwks::default()));
        for json in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, RFC7517_EC] {
            assert_eq!(parse(json), Err(JwksError::Malformed), "{json}");
        }
        assert_eq!(parse(&" ".repeat(Jwks::MAX_LENGTH + 1)), Err(JwksError::TooLong));
        let leaked =
            format!(r#"{{"keys":[{RFC7517_EC},{{"kty":"EC","crv":"P-256","x":"","y":"","d":"AA"}}]}}"#);
        assert_eq!(parse(&leaked), Err(JwksError::Private { index: 1, name: "d" }));
        let symmetric =
            r#"{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"}]}"#;
        assert_eq!(parse(symmetric), Err(JwksError::Private { index: 0, name: "k" }));
    }

    #[test]
    fn kid_and_algorithm_pick_the_candidates() {
        let keys = [
            TestKey::p256().jwk(r#","kid":"a""#),
            TestKey::p256().jwk(r#","kid":"b""#),
            TestKey::p256().jwk(""),
            TestKey::ed25519().jwk(r#","kid":"a""#),
            TestKey::rsa().jwk(r#","alg":"PS256""#),
        ];
        let set = parse(&format!(r#"{{"keys":[{}]}}"#, keys.join(","))).unwrap();
        let places = |algorithm, kid| -> Vec<usize> {
            let is = |key: &Jwk| set.keys().iter().position(|other| std::ptr::eq(other, key)).unwrap();
            set.candidates(algorithm, kid).map(is).collect()
        };
        assert_eq!(places(Algorithm::Es256, Some("a")), [0]);
        assert_eq!(places(Algorithm::EdDsa, Some("a")), [3]);
        assert_eq!(places(Algorithm::Es256, None), [0, 1, 2]);
        assert_eq!(places(Algorithm::Es256, Some("unheard-of")), [2]);
        assert_eq!(places(Algorithm::EdDsa, Some("b")), [0usize; 0]);
        assert_eq!(places(Algorithm::Ps256, None), [4]);
        assert_eq!(places(Algorithm::Rs256, None), [0usize; 0]);
        let twins = Jwks { keys: vec![set.keys()[0].clone(); 20], ignored: Vec::new() };
        assert_eq!(twins.candidates(Algorithm::Es256, None).count(), MAX_TRIES);
    }
}
