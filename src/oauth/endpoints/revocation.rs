//! Token revocation (RFC 7009). Its request has the form of [`super::introspection::TokenQuery`].

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::super::denial::TokenError;
use super::super::token::TokenDigest;
use super::introspection::TokenQuery;
use crate::response;

/// The token to revoke; none where the text is no token of this server, for which there is nothing to do.
///
/// A hint decides nothing about a token that is one of ours: RFC 7009 §2.1 has it as a help to find the token.
///
/// # Errors
/// `unsupported_token_type` for what is no access token and is called a refresh token: there are none here
/// (RFC 7009 §2.2.1).
pub fn token(query: &TokenQuery) -> Result<Option<TokenDigest>, TokenError> {
    match (TokenDigest::of_presented(query.token.expose().as_bytes()), query.hint.as_deref()) {
        (None, Some("refresh_token")) => Err(TokenError::UnsupportedTokenType),
        (digest, _) => Ok(digest),
    }
}

/// The one answer, whether there was something to revoke or not: a client can do nothing with the difference,
/// and an attacker could.
#[must_use]
pub fn done() -> Response<Full<Bytes>> {
    response::json(StatusCode::OK, &json!({}))
}
