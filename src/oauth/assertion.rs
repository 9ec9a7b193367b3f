//! Client authentication by a signed assertion: `private_key_jwt` (RFC 7521 §4.2, RFC 7523 §3).
//!
//! The way of a request: [`peek_client`] returns the client whose keys to look up, [`check`] verifies with
//! them, and [`replay`](super::replay) makes sure that the `jti` was not used before.

use super::jose::json::Object;
use super::jose::{Jwks, Jws, JwsError};
use serde_json::Value;
use std::fmt;

/// The longest assertion, in bytes.
pub(crate) const MAX_LENGTH: usize = 8 * 1024;

/// The longest `sub` and `jti`, in bytes. Both are remembered or looked up.
const MAX_NAME: usize = 256;

/// What an assertion must contain.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The client whose keys verify it.
    pub client_id: &'a str,
    /// The accepted audiences: the issuer, and the URL of the endpoint it was sent to. They are compared byte
    /// for byte.
    pub audiences: &'a [&'a str],
    /// The current time, in Unix seconds.
    pub now: u64,
    /// The earliest moment at which an accepted assertion was made, in Unix seconds: when the memory of used
    /// assertions began. An earlier one may have been used before.
    pub earliest: u64,
    /// The longest lifetime, in seconds: from `iat` if there is one, and from now. A `jti` is remembered for
    /// as long.
    pub max_lifetime: u64,
    /// The longest time from now to `exp` of an assertion with neither `iat` nor `nbf`, in seconds. Such an
    /// assertion does not say when it was made, so it is taken for as old as it can be.
    pub max_undated_lifetime: u64,
    /// The tolerated clock difference, in seconds.
    pub leeway: u64,
}

/// The contents of a valid assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// `iss` and `sub`.
    pub client_id: String,
    /// Its identifier, to be remembered until `remember_until`.
    pub jti: String,
    /// `exp`, in Unix seconds.
    pub expires: u64,
    /// When it need not be remembered any more, because it would be refused as expired, in Unix milliseconds.
    pub remember_until: u64,
}

/// The reason why an assertion is refused. The client gets `invalid_client` for each (RFC 7523 §3.2); the
/// details are for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionError {
    /// The signature or its encoding is wrong. After an unknown key the client's keys should be fetched
    /// again.
    Signature(JwsError),
    /// Its `typ` is of another kind of JWT.
    Type,
    /// This claim is missing, has the wrong type, or is too long.
    Claim(&'static str),
    /// `iss` and `sub` are not both the client.
    Subject,
    /// `aud` contains none of the accepted audiences.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is in the future.
    Early,
    /// Its lifetime is too long.
    Lifetime,
    /// It may be from before the server started, which does not know whether it was used then.
    BeforeStart,
}

/// Returns the client that an assertion claims to be from. Nothing is verified, so this is only for looking
/// up keys.
///
/// # Errors
/// An [`AssertionError`] if it is not a signed set of claims, or has no usable `sub`.
pub fn peek_client(assertion: &str) -> Result<String, AssertionError> {
    let jws = Jws::parse(assertion, MAX_LENGTH).map_err(AssertionError::Signature)?;
    name(jws.unverified_claims(), "sub").map(str::to_owned)
}

/// Checks everything about an assertion except that its `jti` was not used before.
///
/// # Errors
/// The first error that is found.
pub fn check(assertion: &str, keys: &Jwks, expect: &Expect<'_>) -> Result<Claims, AssertionError> {
    let jws = Jws::parse(assertion, MAX_LENGTH).map_err(AssertionError::Signature)?;
    // The signature is checked first, so that only the holder of the key learns what is wrong with the rest,
    // and every failure of anybody else costs the same.
    jws.verify_with(keys).map_err(AssertionError::Signature)?;
    if !jws.typ.as_deref().is_none_or(is_assertion_type) {
        return Err(AssertionError::Type);
    }
    let claims = jws.unverified_claims();

    // RFC 7523 §3, 1 and 2B.
    let client_id = name(claims, "sub")?;
    if client_id != expect.client_id || name(claims, "iss")? != client_id {
        return Err(AssertionError::Subject);
    }
    check_audience(claims, expect.audiences)?;
    let expires = check_dates(claims, expect)?;
    Ok(Claims {
        client_id: client_id.to_owned(),
        jti: name(claims, "jti")?.to_owned(),
        expires,
        remember_until: expires.saturating_add(expect.leeway).saturating_mul(1000),
    })
}

/// Refuses the assertion of a client that does not exist or has no keys, with the same work as [`check`] for
/// a wrong signature, so that the time taken does not distinguish the two. No assertion is accepted.
#[must_use]
pub fn refuse(assertion: &str) -> AssertionError {
    let verified = Jws::parse(assertion, MAX_LENGTH).and_then(|jws| jws.verify_with(&Jwks::default()));
    AssertionError::Signature(verified.err().unwrap_or(JwsError::UnknownKey))
}

/// Checks the `typ`. Media types are compared without case and without `application/` (RFC 7515 §4.1.9).
/// Another type is another kind of JWT, made for another use (RFC 8725 §3.11).
fn is_assertion_type(typ: &str) -> bool {
    let typ = match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    };
    typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("client-authentication+jwt")
}

/// Returns a required claim that is a short string.
fn name<'a>(claims: &'a Object, claim: &'static str) -> Result<&'a str, AssertionError> {
    let text = claims.string(claim).required(AssertionError::Claim(claim))?;
    if (1..=MAX_NAME).contains(&text.len()) { Ok(text) } else { Err(AssertionError::Claim(claim)) }
}

/// Checks the audience (RFC 7523 §3, 3), which is a string or a list of strings (RFC 7519 §4.1.3).
fn check_audience(claims: &Object, ours: &[&str]) -> Result<(), AssertionError> {
    let is_ours = |value: &Value| value.as_str().is_some_and(|text| ours.contains(&text));
    let found = match claims.value("aud") {
        Some(Value::Array(listed)) if listed.iter().all(Value::is_string) => listed.iter().any(is_ours),
        Some(value @ Value::String(_)) => is_ours(value),
        _ => return Err(AssertionError::Claim("aud")),
    };
    if found { Ok(()) } else { Err(AssertionError::Audience) }
}

/// Checks the times (RFC 7523 §3, 4 to 6). Returns `exp`.
fn check_dates(claims: &Object, expect: &Expect<'_>) -> Result<u64, AssertionError> {
    let Expect { now, leeway, max_lifetime, .. } = *expect;
    let latest = now.saturating_add(leeway);
    let expires = claims.date("exp").required(AssertionError::Claim("exp"))?;
    let not_before = claims.date("nbf").optional(AssertionError::Claim("nbf"))?;
    let issued = claims.date("iat").optional(AssertionError::Claim("iat"))?;
    if now >= expires.saturating_add(leeway) {
        return Err(AssertionError::Expired);
    }
    if not_before.is_some_and(|date| date > latest) || issued.is_some_and(|date| date > latest) {
        return Err(AssertionError::Early);
    }
    // RFC 7523 §3, 5 and 6: `nbf` and `iat` are optional. Each says that the assertion was not used before
    // that time.
    let dated = issued.max(not_before);
    let max_lifetime = if dated.is_some() { max_lifetime } else { expect.max_undated_lifetime };
    let lives_too_long = issued.is_some_and(|issued| expires.saturating_sub(issued) > max_lifetime);
    if lives_too_long || expires > latest.saturating_add(max_lifetime) {
        return Err(AssertionError::Lifetime);
    }
    // Without a date, it is as old as the check above would have let it be.
    let made = dated.unwrap_or_else(|| expires.saturating_sub(max_lifetime.saturating_add(leeway)));
    if made < expect.earliest {
        return Err(AssertionError::BeforeStart);
    }
    Ok(expires)
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("client assertion: ")?;
        match self {
            Self::Signature(error) => error.fmt(f),
            Self::Type => f.write_str("its typ is neither JWT nor client-authentication+jwt"),
            Self::Claim(name) => write!(f, "its claim {name} is missing, malformed or too long"),
            Self::Subject => f.write_str("iss and sub are not both the client id"),
            Self::Audience => f.write_str("aud names neither the issuer nor this endpoint"),
            Self::Expired => f.write_str("exp has passed"),
            Self::Early => f.write_str("nbf or iat is in the future"),
            Self::Lifetime => f.write_str("it lives longer than is accepted"),
            Self::BeforeStart => f.write_str("it may be from before the server started"),
        }
    }
}

impl std::error::Error for AssertionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Signature(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "assertion_tests.rs"]
mod tests;
