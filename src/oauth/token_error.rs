//! The errors of the OAuth endpoints, and the only place that turns them into HTTP.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::denial::{OAuthBody, quoted};
use crate::response;

/// The reason why one of the OAuth endpoints refuses (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// 400 `invalid_request`, with the reason.
    InvalidRequest(&'static str),
    /// The body has a `Content-Encoding` other than `identity`: 415 `invalid_request`.
    UnsupportedEncoding,
    /// The body is over 16 KiB: 413 `invalid_request`.
    TooLarge,
    /// The body did not arrive in time: 408 `invalid_request`.
    TooSlow,
    /// The endpoint does not support the method: 405 `invalid_request`. The text is the value of `Allow`.
    MethodNotAllowed(&'static str),
    /// Client authentication failed: 401 `invalid_client`, with the same bytes for every reason.
    InvalidClient,
    /// The assertion of the client was used before (RFC 7523 §3): the same answer as
    /// [`TokenError::InvalidClient`].
    ReplayedAssertion,
    /// 400 `unauthorized_client`: the client lacks the capability.
    UnauthorizedClient,
    /// 400 `unsupported_grant_type`.
    UnsupportedGrantType,
    /// 400 `invalid_scope`.
    InvalidScope,
    /// 400 `invalid_target` (RFC 8707 §2): an unknown or malformed resource.
    InvalidTarget,
    /// 400 `invalid_dpop_proof` (RFC 9449 §5).
    InvalidProof(&'static str),
    /// 400 `unsupported_token_type` (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// 400 `invalid_client_metadata` (RFC 7591 §3.2.2), with the reason.
    InvalidClientMetadata(&'static str),
    /// 400 `invalid_software_statement` (RFC 7591 §3.2.2).
    InvalidSoftwareStatement,
    /// 400 `unapproved_software_statement` (RFC 7591 §3.2.2): no issuer of software statements is trusted.
    UnapprovedSoftwareStatement,
    /// A request to the registration endpoint has no token: 401 with a challenge (RFC 6750 §3).
    NoRegistrationToken,
    /// The token of a request to the registration endpoint is unknown, expired or used up: 401
    /// `invalid_token`, with the same bytes for every reason.
    InvalidRegistrationToken,
    /// As many clients are registered as may be: 403 `access_denied`.
    TooManyClients,
    /// Too many requests to register: 429, with the time to wait.
    RegistrationThrottled(Duration),
    /// Too many failed authentications: 429, with the time to wait.
    Throttled(Duration),
    /// Hashing is busy, or a token limit is reached: 503 `temporarily_unavailable`, with the time to wait.
    Unavailable(Duration),
}

impl TokenError {
    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::InvalidRequest(why) => (bad, "invalid_request", why),
            Self::UnsupportedEncoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "the body must not have a Content-Encoding",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is larger than any request to this endpoint",
            ),
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body did not arrive in time")
            }
            Self::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "the method is not one of this endpoint")
            }
            Self::InvalidClient | Self::ReplayedAssertion => {
                (StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed")
            }
            Self::UnauthorizedClient => (bad, "unauthorized_client", "the client may not do this"),
            Self::UnsupportedGrantType => {
                (bad, "unsupported_grant_type", "the only grant type here is client_credentials")
            }
            Self::InvalidScope => (
                bad,
                "invalid_scope",
                "a scope is malformed, unknown or not the client's (scopes are separated by one space)",
            ),
            Self::InvalidTarget => {
                (bad, "invalid_target", "the resource is malformed, unknown or not the client's")
            }
            Self::InvalidProof(why) => (bad, "invalid_dpop_proof", why),
            Self::UnsupportedTokenType => {
                (bad, "unsupported_token_type", "only access tokens can be revoked here")
            }
            Self::InvalidClientMetadata(why) => (bad, "invalid_client_metadata", why),
            Self::InvalidSoftwareStatement => {
                (bad, "invalid_software_statement", "the software statement is not a signed JWT")
            }
            Self::UnapprovedSoftwareStatement => {
                (bad, "unapproved_software_statement", "software statements are not accepted here")
            }
            Self::NoRegistrationToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the request needs a token in an Authorization header with the scheme Bearer",
            ),
            Self::InvalidRegistrationToken => {
                (StatusCode::UNAUTHORIZED, "invalid_token", "the token is unknown, expired or used up")
            }
            Self::TooManyClients => {
                (StatusCode::FORBIDDEN, "access_denied", "no more clients can be registered with this token")
            }
            Self::RegistrationThrottled(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "too many registrations: wait before the next one",
            ),
            Self::Throttled(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "too many failed authentications from this address: wait before the next try",
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the server is busy: try again shortly",
            ),
        }
    }

    /// Returns the status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// Returns the error code of the answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.parts().1
    }

    /// Makes the answer.
    #[must_use]
    pub fn to_response(&self, realm: &str) -> Response<Full<Bytes>> {
        let (status, error, error_description) = self.parts();
        let mut response = response::json(status, &OAuthBody { error, error_description });
        let headers = response.headers_mut();
        match self {
            Self::InvalidClient | Self::ReplayedAssertion => {
                // Some clients read only the challenge, so it has the code too.
                let challenge = format!("Basic realm=\"{}\", error=\"{error}\"", quoted(realm));
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    headers.insert(WWW_AUTHENTICATE, value);
                }
            }
            Self::NoRegistrationToken | Self::InvalidRegistrationToken => {
                let mut challenge = format!("Bearer realm=\"{}\"", quoted(realm));
                // RFC 6750 §3.1: a request without a token gets no error code.
                if *self == Self::InvalidRegistrationToken {
                    challenge.push_str(", error=\"invalid_token\"");
                }
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    headers.insert(WWW_AUTHENTICATE, value);
                }
            }
            Self::MethodNotAllowed(allow) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::Throttled(wait) | Self::RegistrationThrottled(wait) | Self::Unavailable(wait) => {
                // Rounded up, so that a client that waits exactly as long is not too early.
                headers.insert(
                    RETRY_AFTER,
                    HeaderValue::from(wait.as_millis().div_ceil(1000).clamp(1, 3600) as u64),
                );
            }
            _ => {}
        }
        response
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, code, text) = self.parts();
        write!(f, "{code}: {text}")
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_errors_by_rfc_6749_5_2() {
        let second = Duration::from_millis(1_001);
        let table = [
            (TokenError::InvalidRequest("w"), 400, "invalid_request", None),
            (TokenError::UnsupportedEncoding, 415, "invalid_request", None),
            (TokenError::TooLarge, 413, "invalid_request", None),
            (TokenError::MethodNotAllowed("POST"), 405, "invalid_request", Some(("allow", "POST"))),
            (
                TokenError::InvalidClient,
                401,
                "invalid_client",
                Some(("www-authenticate", "Basic realm=\"tollgate\", error=\"invalid_client\"")),
            ),
            (TokenError::UnauthorizedClient, 400, "unauthorized_client", None),
            (TokenError::UnsupportedGrantType, 400, "unsupported_grant_type", None),
            (TokenError::InvalidScope, 400, "invalid_scope", None),
            (TokenError::Throttled(second), 429, "temporarily_unavailable", Some(("retry-after", "2"))),
            (
                TokenError::Unavailable(Duration::ZERO),
                503,
                "temporarily_unavailable",
                Some(("retry-after", "1")),
            ),
        ];
        for (error, status, code, header) in table {
            let response = error.to_response("tollgate");
            assert_eq!(response.status().as_u16(), status, "{error:?}");
            assert_eq!(error.code(), code);
            assert_eq!(response.headers()["cache-control"], "no-store");
            if let Some((name, value)) = header {
                assert_eq!(response.headers()[name], value, "{error:?}");
            }
        }
    }
}
