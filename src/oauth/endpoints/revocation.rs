//! Token revocation (RFC 7009). Its request has the form of [`super::introspection::TokenQuery`].

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::super::denial::TokenError;
use super::introspection::TokenQuery;
use crate::answer;

/// Refuses what can never be revoked here. An unknown hint is no error: RFC 7009 §2.1 lets a server ignore it.
///
/// # Errors
/// `unsupported_token_type` for refresh tokens, of which there are none (RFC 7009 §2.2.1).
pub fn check(query: &TokenQuery) -> Result<(), TokenError> {
    match query.hint.as_deref() {
        Some("refresh_token") => Err(TokenError::UnsupportedTokenType),
        _ => Ok(()),
    }
}

/// The one answer, whether there was something to revoke or not: a client can do nothing with the difference,
/// and an attacker could.
#[must_use]
pub fn done() -> Response<Full<Bytes>> {
    answer::json(StatusCode::OK, &json!({}))
}
