//! Token revocation (RFC 7009). Its request has the form of [`super::introspection::TokenQuery`].

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::super::token::TokenDigest;
use super::super::token_error::TokenError;
use super::introspection::TokenQuery;
use crate::response;

/// Returns the token to revoke. Returns `None` if the text is not a token of this server; there is nothing to
/// revoke then.
///
/// A hint does not matter for a token of this server: by RFC 7009 §2.1, it only helps to find the token.
///
/// # Errors
/// `unsupported_token_type` for other text that the hint calls a refresh token, because there are no refresh
/// tokens (RFC 7009 §2.2.1).
pub(crate) fn token(query: &TokenQuery) -> Result<Option<TokenDigest>, TokenError> {
    match (TokenDigest::of_presented(query.token.expose().as_bytes()), query.hint.as_deref()) {
        (None, Some("refresh_token")) => Err(TokenError::UnsupportedTokenType),
        (digest, _) => Ok(digest),
    }
}

/// Makes the answer, which is the same whether a token was revoked or not. Only an attacker could use the
/// difference.
#[must_use]
pub(crate) fn done() -> Response<Full<Bytes>> {
    response::json(StatusCode::OK, &json!({}))
}
