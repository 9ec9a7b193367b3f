//! Proof of possession of a key with each request (DPoP, RFC 9449).
//!
//! The way of a request: [`from_headers`] takes the one proof out of it, [`check`] makes every check of §4.3 that needs
//! no memory, and [`replay`](super::replay) sees to it that the `jti` was not used before with that key.

mod target;

use super::jose::json::Object;
use super::jose::{Jws, JwsError, base64url};
use super::thumbprint::Thumbprint;
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use std::fmt;
use target::same_target;

/// The header that carries a proof.
pub const HEADER: http::HeaderName = http::HeaderName::from_static("dpop");

/// Longest proof, in bytes.
pub const MAX_LENGTH: usize = 4 * 1024;

/// Longest `jti` and `nonce`, in bytes.
const MAX_NAME: usize = 256;

/// The request that a proof is for.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its absolute URI as the client knows it. Query and fragment do not count.
    pub uri: &'a str,
    /// Unix seconds.
    pub now: u64,
    /// How old a proof may be, in seconds. It is how long a `jti` is kept.
    pub max_age: u64,
    /// How far the client's clock may be ahead, in seconds.
    pub max_ahead: u64,
    /// The access token it comes with; none at the token endpoint.
    pub token: Option<BoundToken<'a>>,
}

/// An access token and the key that it was issued to.
#[derive(Clone, Copy)]
pub struct BoundToken<'a> {
    /// The token as it stands in `Authorization`.
    pub access_token: &'a str,
    /// `cnf.jkt` of its record.
    pub key: Thumbprint,
}

/// What a valid proof says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// The key that was proved to be held: what a token is bound to (`cnf.jkt`).
    pub key: Thumbprint,
    /// Its own name, to be remembered until `remember_until`.
    pub jti: String,
    /// `iat`, in Unix seconds.
    pub issued: u64,
    /// The `nonce` of the server that it carries, unchecked: §4.3, 10 is for who hands nonces out.
    pub nonce: Option<String>,
    /// Unix milliseconds from when on it would be refused as too old, and need not be remembered any more.
    pub remember_until: u64,
}

/// Why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopError {
    /// More than one `DPoP` header, or one that is no text.
    Header,
    /// The signature, or what is around it.
    Signature(JwsError),
    /// `typ` is not `dpop+jwt`.
    Type,
    /// This claim is missing, of the wrong type or too long.
    Claim(&'static str),
    /// `htm` is not the request's method.
    Method,
    /// `htu` is not the request's URI.
    Uri,
    /// `iat` is too long ago.
    Old,
    /// `iat` is in the future.
    Ahead,
    /// `ath` is not the digest of the access token.
    TokenDigest,
    /// The access token was issued to another key.
    Key,
}

/// The proof that a request carries, if it carries any (§4.3, 1).
///
/// # Errors
/// More than one.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<&str>, DpopError> {
    only(headers.get_all(HEADER).iter().map(http::HeaderValue::as_bytes))
}

/// The one proof among these values of `DPoP`: see [`from_headers`].
pub(crate) fn only<'a>(mut proofs: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a str>, DpopError> {
    match (proofs.next(), proofs.next()) {
        (None, _) => Ok(None),
        (Some(proof), None) if proof.is_ascii() => {
            std::str::from_utf8(proof).map(Some).map_err(|_| DpopError::Header)
        }
        (Some(_), None) => Err(DpopError::Header),
        (Some(_), Some(_)) => Err(DpopError::Header),
    }
}

/// Checks a proof, all but that its `jti` was not used before. The numbers below are those of §4.3.
///
/// # Errors
/// The first thing about it that is wrong.
pub fn check(proof: &str, expect: &Expect<'_>) -> Result<Proof, DpopError> {
    // 2, 5 (`Algorithm` has no other members) and the form of 3.
    let mut jws = Jws::parse(proof, MAX_LENGTH).map_err(DpopError::Signature)?;
    // 4.
    if !jws.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
        return Err(DpopError::Type);
    }
    // 7: a private key is refused when it is parsed.
    let key = jws.embedded_key().map_err(DpopError::Signature)?;
    let claims = jws.unverified_claims();
    // 3, 8, 9, 11: before the signature, since they cost less.
    let (issued, remember_until) = check_request(claims, expect)?;
    let jti = name(claims, "jti")?.ok_or(DpopError::Claim("jti"))?.to_owned();
    let nonce = name(claims, "nonce")?.map(str::to_owned);
    let thumbprint = key.thumbprint();
    // 12.
    if let Some(token) = expect.token {
        let digest = Sha256::digest(token.access_token);
        if claims.string("ath").required(DpopError::Claim("ath"))? != base64url::encode(&digest) {
            return Err(DpopError::TokenDigest);
        }
        if thumbprint != token.key {
            return Err(DpopError::Key);
        }
    }
    // 6.
    jws.verify(&key).map_err(DpopError::Signature)?;
    Ok(Proof { key: thumbprint, jti, issued, nonce, remember_until })
}

/// `htm`, `htu` and `iat`. The answer is `iat` and when it is over.
fn check_request(claims: &Object, expect: &Expect<'_>) -> Result<(u64, u64), DpopError> {
    // Methods are compared with case (RFC 9110 §9.1).
    if claims.string("htm").required(DpopError::Claim("htm"))? != expect.method {
        return Err(DpopError::Method);
    }
    if !same_target(claims.string("htu").required(DpopError::Claim("htu"))?, expect.uri) {
        return Err(DpopError::Uri);
    }
    let issued = claims.date("iat").required(DpopError::Claim("iat"))?;
    let last = issued.saturating_add(expect.max_age);
    if last < expect.now {
        return Err(DpopError::Old);
    }
    if issued > expect.now.saturating_add(expect.max_ahead) {
        return Err(DpopError::Ahead);
    }
    Ok((issued, last.saturating_add(1).saturating_mul(1000)))
}

/// A claim that is a short string.
fn name<'a>(claims: &'a Object, claim: &'static str) -> Result<Option<&'a str>, DpopError> {
    match claims.string(claim).optional(DpopError::Claim(claim))? {
        Some(text) if !(1..=MAX_NAME).contains(&text.len()) => Err(DpopError::Claim(claim)),
        text => Ok(text),
    }
}

impl DpopError {
    /// The error code of the answer: `invalid_token` where the proof is good and the token is another's (§7.1),
    /// `invalid_dpop_proof` otherwise (§5, §7.1).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key => "invalid_token",
            _ => "invalid_dpop_proof",
        }
    }

    /// What the client may be told: a proof is its own and tells nothing about anybody else, so it may be told what is
    /// wrong with it.
    #[must_use]
    pub fn public_description(&self) -> &'static str {
        match self {
            Self::Header => "there must be exactly one DPoP header, of ASCII",
            Self::Signature(JwsError::TooLong) => "the DPoP proof is too long",
            Self::Signature(JwsError::Algorithm) => "the alg of the DPoP proof is not supported",
            Self::Signature(JwsError::Key(_)) => "the jwk of the DPoP proof is not a supported public key",
            Self::Signature(JwsError::Signature | JwsError::UnknownKey) => {
                "the signature of the DPoP proof is wrong"
            }
            Self::Signature(_) => "the DPoP proof is malformed",
            Self::Type => "the typ of the DPoP proof is not dpop+jwt",
            Self::Claim(_) => "a claim of the DPoP proof is missing or malformed",
            Self::Method => "the htm of the DPoP proof is not the method of the request",
            Self::Uri => "the htu of the DPoP proof is not the URI of the request",
            Self::Old => "the iat of the DPoP proof is too long ago",
            Self::Ahead => "the iat of the DPoP proof is in the future",
            Self::TokenDigest => "the ath of the DPoP proof is not of this access token",
            Self::Key => "the access token is bound to another key",
        }
    }
}

impl fmt::Debug for BoundToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundToken").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Display for DpopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(error) => write!(f, "DPoP proof: {error}"),
            Self::Claim(name) => write!(f, "DPoP proof: its claim {name} is missing, malformed or too long"),
            other => f.write_str(other.public_description()),
        }
    }
}

impl std::error::Error for DpopError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Signature(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "dpop_tests.rs"]
mod tests;
