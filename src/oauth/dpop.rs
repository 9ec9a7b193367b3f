//! Proof of possession of a key with each request (DPoP, RFC 9449).
//!
//! The way of a request: [`from_headers`] finds its only proof, [`check`] makes every check of §4.3 that
//! needs no memory, and [`replay`](super::replay) makes sure that the `jti` was not used before with that
//! key.

mod target;

use super::jose::json::Object;
use super::jose::{Jws, JwsError, base64url};
use super::public_origin::{PublicOrigin, PublicOrigins};
use super::thumbprint::Thumbprint;
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use std::fmt;
use target::TargetUri;

/// The header that carries a proof.
pub const HEADER: http::HeaderName = http::HeaderName::from_static("dpop");

/// The longest proof, in bytes.
pub(crate) const MAX_LENGTH: usize = 4 * 1024;

/// The longest `jti` and `nonce`, in bytes.
const MAX_NAME: usize = 256;

/// The request that a proof is for.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// Its method.
    pub method: &'a str,
    /// The origins of the server, one of which the proof must name.
    pub origins: &'a PublicOrigins,
    /// The origin that the request names. If it is one of the server's, the proof must name the same.
    pub requested: Option<&'a PublicOrigin>,
    /// The path of the request as the client knows it, without a query.
    pub path: &'a str,
    /// The current time, in Unix seconds.
    pub now: u64,
    /// The earliest accepted `iat`, in Unix seconds: when the memory of used proofs began.
    pub earliest: u64,
    /// The oldest accepted proof, in seconds. A `jti` is remembered for as long.
    pub max_age: u64,
    /// How far the client's clock may be ahead, in seconds.
    pub max_ahead: u64,
    /// The access token of the request. `None` at the token endpoint.
    pub token: Option<BoundToken<'a>>,
}

/// An access token and the key that it is bound to.
#[derive(Clone, Copy)]
pub struct BoundToken<'a> {
    /// The token in the `Authorization` header.
    pub access_token: &'a str,
    /// The `cnf.jkt` of its record.
    pub key: Thumbprint,
}

/// The contents of a valid proof.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// The key that the sender holds, which a token is bound to (`cnf.jkt`).
    pub key: Thumbprint,
    /// Its identifier, to be remembered until `remember_until`.
    pub jti: String,
    /// `iat`, in Unix seconds.
    pub issued: u64,
    /// The `nonce`, which is not checked: §4.3, 10 is for servers that issue nonces.
    pub nonce: Option<String>,
    /// When it need not be remembered any more, because it would be refused as too old, in Unix milliseconds.
    pub remember_until: u64,
}

/// The reason why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopError {
    /// There is more than one `DPoP` header, or it is not text.
    Header,
    /// The signature or its encoding is wrong.
    Signature(JwsError),
    /// `typ` is not `dpop+jwt`.
    Type,
    /// This claim is missing, has the wrong type, or is too long.
    Claim(&'static str),
    /// `htm` is not the request's method.
    Method,
    /// `htu` is not the request's URI.
    Uri,
    /// `iat` is too long ago.
    Old,
    /// `iat` is in the future.
    Ahead,
    /// `iat` is from before the server started, which does not know whether the proof was used then.
    BeforeStart,
    /// `ath` is not the digest of the access token.
    TokenDigest,
    /// The access token was issued to another key.
    Key,
}

/// Returns the proof of a request, if there is one (§4.3, 1).
///
/// # Errors
/// [`DpopError::Header`] if there is more than one.
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

/// Checks everything about a proof except that its `jti` was not used before. The numbers below are those of
/// §4.3.
///
/// # Errors
/// The first error that is found.
pub fn check(proof: &str, expect: &Expect<'_>) -> Result<Proof, DpopError> {
    // 2, 5 (`Algorithm` has no other members) and the form of 3.
    let mut jws = Jws::parse(proof, MAX_LENGTH).map_err(DpopError::Signature)?;
    // 4.
    if !jws.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
        return Err(DpopError::Type);
    }
    // 7: parsing refuses a private key.
    let key = jws.embedded_key().map_err(DpopError::Signature)?;
    let claims = jws.unverified_claims();
    // 3, 8, 9, 11: before the signature, because they cost less.
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

/// Checks `htm`, `htu` and `iat`. Returns `iat` and the end of the proof's use.
fn check_request(claims: &Object, expect: &Expect<'_>) -> Result<(u64, u64), DpopError> {
    // Methods are compared with case (RFC 9110 §9.1).
    if claims.string("htm").required(DpopError::Claim("htm"))? != expect.method {
        return Err(DpopError::Method);
    }
    // 9: the origin is not compared with the request's alone, because the sender of the request chose that.
    let target = TargetUri::parse(claims.string("htu").required(DpopError::Claim("htu"))?);
    let is_ours = |target: &TargetUri<'_>| {
        expect.origins.accept(&target.origin, expect.requested) && target.has_path(expect.path)
    };
    if !target.as_ref().is_some_and(is_ours) {
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
    if issued < expect.earliest {
        return Err(DpopError::BeforeStart);
    }
    Ok((issued, last.saturating_add(1).saturating_mul(1000)))
}

/// Returns a claim that is a short string.
fn name<'a>(claims: &'a Object, claim: &'static str) -> Result<Option<&'a str>, DpopError> {
    match claims.string(claim).optional(DpopError::Claim(claim))? {
        Some(text) if !(1..=MAX_NAME).contains(&text.len()) => Err(DpopError::Claim(claim)),
        text => Ok(text),
    }
}

impl DpopError {
    /// Returns the text for the client. A proof is the client's own and reveals nothing about others, so the
    /// text can say what is wrong.
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
            Self::BeforeStart => {
                "the iat of the DPoP proof is from before the server started: make a new proof"
            }
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
