//! A compact signature (RFC 7515 §3.1, §7.1) over a set of claims (RFC 7519).

use super::json::Object;
use super::jwks::MAX_TRIES;
use super::{Algorithm, Jwk, JwkError, Jwks, base64url};
use std::fmt;

/// A signature that is parsed but not yet verified.
pub(in crate::oauth) struct Jws<'a> {
    pub(in crate::oauth) algorithm: Algorithm,
    pub(in crate::oauth) typ: Option<Box<str>>,
    kid: Option<Box<str>>,
    header: Object,
    claims: Object,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The reason why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwsError {
    /// It is too long.
    TooLong,
    /// It does not have three parts in base64url.
    Compact,
    /// The header is not a JSON object without repeated names, or a member has the wrong type.
    Header,
    /// `alg` is missing or not in [`Algorithm::NAMES`].
    Algorithm,
    /// The header requires an extension (`crit`, `b64`), and none is supported.
    Critical,
    /// The payload is not a JSON object without repeated names.
    Claims,
    /// The header has no usable public key in `jwk`, where one is required.
    Key(JwkError),
    /// No key of the client has this `kid` and algorithm.
    UnknownKey,
    /// The signature was not made with the key.
    Signature,
}

impl<'a> Jws<'a> {
    /// Parses a compact serialization of at most `max_length` bytes.
    pub(in crate::oauth) fn parse(compact: &'a str, max_length: usize) -> Result<Self, JwsError> {
        if compact.len() > max_length {
            return Err(JwsError::TooLong);
        }
        let (signed, signature) = compact.rsplit_once('.').ok_or(JwsError::Compact)?;
        let (header, claims) = signed.split_once('.').ok_or(JwsError::Compact)?;
        // Another dot would be part of `claims`, and is not base64url.
        let header = base64url::decode(header).ok_or(JwsError::Compact)?;
        let claims = base64url::decode(claims).ok_or(JwsError::Compact)?;
        let signature = base64url::decode(signature).ok_or(JwsError::Compact)?;

        let header = Object::parse(&header).ok_or(JwsError::Header)?;
        let algorithm = header.string("alg").required(JwsError::Algorithm)?;
        let algorithm = Algorithm::from_name(algorithm).ok_or(JwsError::Algorithm)?;
        // RFC 7515 §4.1.11: critical extensions that are not supported are refused, and none is supported.
        // RFC 7797 §6: `b64` only counts if it is critical, but readers that differ in that would see
        // different payloads.
        if header.has("crit") || header.has("b64") {
            return Err(JwsError::Critical);
        }
        let text = |name| header.string(name).optional(JwsError::Header).map(|text| text.map(Box::from));
        let (typ, kid) = (text("typ")?, text("kid")?);
        let claims = Object::parse(&claims).ok_or(JwsError::Claims)?;
        Ok(Self { algorithm, typ, kid, header, claims, signed, signature })
    }

    /// Returns the claims, which are not verified.
    pub(in crate::oauth) fn unverified_claims(&self) -> &Object {
        &self.claims
    }

    /// Returns the public key in its own header (RFC 7515 §4.1.3). Verifying with it only proves the
    /// possession of that key.
    pub(in crate::oauth) fn embedded_key(&mut self) -> Result<Jwk, JwsError> {
        let value = self.header.take("jwk").ok_or(JwsError::Key(JwkError::Member("jwk")))?;
        Jwk::from_value(value).map_err(JwsError::Key)
    }

    /// Verifies the signature with one key.
    pub(in crate::oauth) fn verify(&self, key: &Jwk) -> Result<(), JwsError> {
        if !key.fits(self.algorithm) {
            return Err(JwsError::UnknownKey);
        }
        if key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(JwsError::Signature)
        }
    }

    /// Verifies the signature with the key of a set that its header selects.
    ///
    /// A failure costs [`MAX_TRIES`] verifications, whatever the set is: the time taken reveals neither how
    /// many keys a client has nor whether it exists.
    pub(in crate::oauth) fn verify_with(&self, keys: &Jwks) -> Result<(), JwsError> {
        let mut verdict = Err(JwsError::UnknownKey);
        let mut tries = 0;
        for key in keys.candidates(self.algorithm, self.kid.as_deref()) {
            verdict = self.verify(key);
            if verdict.is_ok() {
                return Ok(());
            }
            tries += usize::from(key.takes_time_for(&self.signature));
        }
        if tries < MAX_TRIES
            && let Some(decoy) = Jwk::decoy(self.algorithm, self.signature.len())
        {
            for _ in tries..MAX_TRIES {
                // Also a signature by the decoy is refused.
                let _ = self.verify(&decoy);
            }
        }
        verdict
    }
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("it is too long"),
            Self::Compact => {
                f.write_str("it is not three parts of base64url without padding, separated by dots")
            }
            Self::Header => f.write_str("its header is not a JSON object with each name once"),
            Self::Algorithm => write!(f, "its alg is none of {}", Algorithm::NAMES.join(", ")),
            Self::Critical => f.write_str("its header requires an unknown extension"),
            Self::Claims => f.write_str("its payload is not a JSON object with each name once"),
            Self::Key(error) => write!(f, "the jwk in its header: {error}"),
            Self::UnknownKey => f.write_str("no key of this kid and algorithm is known"),
            Self::Signature => f.write_str("its signature is wrong"),
        }
    }
}

impl std::error::Error for JwsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "jws_tests.rs"]
mod tests;
