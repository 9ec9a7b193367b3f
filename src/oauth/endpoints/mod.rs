//! The requests and answers of the OAuth endpoints. The gate authenticates the client.

pub(crate) mod introspection;
pub(crate) mod metadata;
pub(crate) mod revocation;
pub(crate) mod token;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, request};

use super::form::Form;
use super::token_error::TokenError;

/// The largest body that these endpoints read, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024;

/// Checks the head of a request to one of the three form endpoints.
///
/// # Errors
/// 405 for another method, 415 for a content coding, 400 for another media type, or for a parameter in the
/// query string that belongs in the body (RFC 6749 §2.3.1: "MUST NOT be included in the request URI").
pub(crate) fn check_head(parts: &request::Parts, known: &[&str]) -> Result<(), TokenError> {
    if parts.method != Method::POST {
        return Err(TokenError::MethodNotAllowed("POST"));
    }
    if is_encoded(&parts.headers) {
        return Err(TokenError::UnsupportedEncoding);
    }
    if !is_form(&parts.headers) {
        return Err(TokenError::InvalidRequest("the content type must be application/x-www-form-urlencoded"));
    }
    if let Some(query) = parts.uri.query() {
        let query =
            Form::parse(query.as_bytes()).map_err(|error| TokenError::InvalidRequest(error.public()))?;
        if query.names().any(|name| known.contains(&name)) {
            return Err(TokenError::InvalidRequest("parameters belong in the body, not in the query string"));
        }
    }
    Ok(())
}

/// Parses the parameters of a body.
///
/// # Errors
/// 400 `invalid_request` if it is not a valid form.
pub(crate) fn form(body: &[u8]) -> Result<Form<'_>, TokenError> {
    Form::parse(body).map_err(|error| TokenError::InvalidRequest(error.public()))
}

/// Returns whether the body has a content coding (RFC 9110 §8.4), which would hide the parameters.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    is_type(headers, b"application/x-www-form-urlencoded")
}

/// Returns whether the body is JSON.
#[cfg(feature = "gateway")]
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    is_type(headers, b"application/json")
}

fn is_type(headers: &HeaderMap, media_type: &[u8]) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    // The spelling of nearly every client.
    if value.as_bytes() == media_type {
        return true;
    }
    // Media type parameters such as charset are ignored: forms and JSON are always UTF-8.
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(media_type)
}
