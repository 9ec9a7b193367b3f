//! Every refusal of the protocol, and the one place that turns it into HTTP.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::scope::Scopes;
use crate::response;

/// The reason why a protected request is denied (RFC 6750 §3.1).
///
/// The layer puts it into the extensions of its refusal, where middleware around the layer can read it.
///
/// ```
/// use tollgate::Denial;
/// use tollgate::oauth::Challenge;
///
/// let denial = Denial::refused("closed on Sundays");
/// assert_eq!((denial.status().as_u16(), denial.code()), (403, Some("insufficient_scope")));
/// let answer = denial.to_response(&Challenge::default());
/// assert_eq!(
///     answer.headers()["www-authenticate"],
///     "Bearer realm=\"tollgate\", error=\"insufficient_scope\", error_description=\"closed on Sundays\""
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The request has no `Authorization` header, or one with another scheme: 401 without an error code.
    Missing,
    /// The header is not what RFC 6750 allows: 400 `invalid_request`.
    Malformed(&'static str),
    /// The token is unknown, expired or revoked, or its client is disabled or removed: 401 `invalid_token`.
    InvalidToken,
    /// The token is bound to a key and came without a valid proof of it: 401 `invalid_dpop_proof` (RFC 9449 §7.1).
    InvalidProof(&'static str),
    /// The token is bound to something that the request does not prove to hold: 401 `invalid_token` (RFC 8705 §3, RFC
    /// 9449 §7).
    NotHeld(Mismatch),
    /// The denial of a token under the DPoP scheme: the same answer, with a challenge of that scheme (RFC 9449 §7.1).
    Dpop(Box<Self>),
    /// The token is valid but lacks a scope: 403 `insufficient_scope`, naming the required scopes.
    InsufficientScope(Scopes),
    /// The token is for another resource (RFC 8707): 401 `invalid_token`.
    WrongAudience,
    /// A condition of the program refused: 403 `insufficient_scope` with its text. See [`Denial::refused`].
    Refused(Cow<'static, str>),
    /// The store cannot answer: 503. The request is never let through.
    Unavailable,
}

/// How a token and its sender do not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The token is bound to a certificate, and the connection has another one or none.
    Certificate,
    /// The token is bound to a key and was presented under the Bearer scheme.
    KeyAsBearer,
    /// The token is not bound to a key and was presented under the DPoP scheme.
    BearerAsKey,
    /// The token is bound to another key than that of the proof.
    Key,
}

impl Mismatch {
    fn text(self) -> &'static str {
        match self {
            Self::Certificate => {
                "the access token is bound to the client certificate it was issued over: use it on a connection with that certificate"
            }
            Self::KeyAsBearer => {
                "the access token is bound to a key: send it under the DPoP scheme, with a proof"
            }
            Self::BearerAsKey => "the access token is not bound to a key: send it under the Bearer scheme",
            Self::Key => "the access token is bound to another key than that of the DPoP proof",
        }
    }
}

/// The contents of challenges that depend on the protected resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge {
    /// The protection space (RFC 9110 §11.5).
    pub realm: String,
    /// The URL of the resource's metadata (RFC 9728 §5.1), if it has any.
    pub resource_metadata: Option<String>,
    /// The algorithms named in a DPoP challenge (RFC 9449 §7.1). Empty if DPoP is not supported.
    pub dpop_algorithms: String,
    /// Whether the answer to a request without a token also has a DPoP challenge. Many clients read only one challenge,
    /// so it is left out unless a client has to use DPoP.
    pub announce_dpop: bool,
}

impl Default for Challenge {
    fn default() -> Self {
        Self {
            realm: "tollgate".to_owned(),
            resource_metadata: None,
            dpop_algorithms: String::new(),
            announce_dpop: false,
        }
    }
}

const NEW_TOKEN: &str =
    "the access token is expired, revoked or unknown: get a new token from the token endpoint and try again";

#[derive(Serialize)]
struct OAuthBody<'a> {
    error: &'a str,
    error_description: &'a str,
}

impl Denial {
    /// Makes the denial of a condition of the program, with a text for the caller.
    #[must_use]
    pub fn refused(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(text.into())
    }

    /// Returns the status, the error code, and the text for the caller.
    fn parts(&self) -> (StatusCode, Option<&'static str>, &str) {
        match self {
            Self::Missing => (
                StatusCode::UNAUTHORIZED,
                None,
                "this resource needs an access token: get one from the token endpoint and send it as \"Authorization: Bearer <token>\"",
            ),
            Self::Malformed(why) => (StatusCode::BAD_REQUEST, Some("invalid_request"), why),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, Some("invalid_token"), NEW_TOKEN),
            Self::InvalidProof(why) => (StatusCode::UNAUTHORIZED, Some("invalid_dpop_proof"), why),
            Self::NotHeld(mismatch) => (StatusCode::UNAUTHORIZED, Some("invalid_token"), mismatch.text()),
            Self::Dpop(denial) => denial.parts(),
            Self::WrongAudience => (
                StatusCode::UNAUTHORIZED,
                Some("invalid_token"),
                "the access token is for another resource: get a new token for this one",
            ),
            Self::InsufficientScope(_) => (
                StatusCode::FORBIDDEN,
                Some("insufficient_scope"),
                "the access token lacks a scope this resource needs",
            ),
            Self::Refused(why) => (StatusCode::FORBIDDEN, Some("insufficient_scope"), why),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                None,
                "tokens cannot be checked at the moment: try again shortly",
            ),
        }
    }

    /// Returns the status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// Returns the error code of RFC 6750 §3.1 or RFC 9449, if the answer has one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.parts().1
    }

    /// Returns the text for the caller. Except for the text of [`Denial::Refused`], it never depends on the request.
    #[must_use]
    pub fn description(&self) -> &str {
        self.parts().2
    }

    /// Makes the answer, with its challenges.
    #[must_use]
    pub fn to_response(&self, challenge: &Challenge) -> Response<Full<Bytes>> {
        let (status, error, text) = self.parts();
        let mut response = match error {
            Some(error) => response::json(status, &OAuthBody { error, error_description: text }),
            // RFC 6750 §3.1: no error code where no token was sent.
            None => response::problem(status, text),
        };
        let headers = response.headers_mut();
        if *self.plain() == Self::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        } else {
            for value in self.challenges(challenge) {
                headers.append(WWW_AUTHENTICATE, value);
            }
        }
        response
    }

    /// Returns the denial without regard to the scheme of the token.
    fn plain(&self) -> &Self {
        match self {
            Self::Dpop(denial) => denial.plain(),
            denial => denial,
        }
    }

    /// Returns the values of `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1).
    fn challenges(&self, challenge: &Challenge) -> Vec<HeaderValue> {
        let realm = format!("realm=\"{}\"", quoted(&challenge.realm));
        let mut parameters = realm.clone();
        let mut add =
            |name: &str, value: &str| parameters.push_str(&format!(", {name}=\"{}\"", quoted(value)));
        if let Some(error) = self.code() {
            add("error", error);
            add("error_description", self.description());
        }
        if let Self::InsufficientScope(needed) = self.plain() {
            add("scope", needed.as_str());
        }
        if let Some(url) = &challenge.resource_metadata {
            add("resource_metadata", url);
        }
        let algorithms = &challenge.dpop_algorithms;
        let dpop = |parameters: &str| format!("DPoP {parameters}, algs=\"{algorithms}\"");
        let bearer = format!("Bearer {parameters}");
        let values = match self {
            Self::InvalidProof(_) | Self::Dpop(_) => vec![dpop(&parameters)],
            Self::Missing if challenge.announce_dpop => vec![bearer, dpop(&parameters)],
            // RFC 9449 §7.2: the first challenge says what is wrong, the second which scheme is right.
            Self::NotHeld(Mismatch::KeyAsBearer) => vec![bearer, dpop(&realm)],
            _ => vec![bearer],
        };
        values.iter().filter_map(|value| HeaderValue::from_str(value).ok()).collect()
    }
}

/// Makes a text fit for a quoted-string of a challenge. RFC 6750 §3 allows neither quotes nor backslashes in an
/// `error_description`, not even escaped, and nothing but printable ASCII. The JSON body has the text as it is.
fn quoted(text: &str) -> String {
    let allowed = |character| match character {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => character,
        _ => '?',
    };
    text.chars().map(allowed).collect()
}

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
            Self::InvalidClient => {
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
            Self::InvalidClient => {
                // Some clients read only the challenge, so it has the code too.
                let challenge = format!("Basic realm=\"{}\", error=\"{error}\"", quoted(realm));
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    headers.insert(WWW_AUTHENTICATE, value);
                }
            }
            Self::MethodNotAllowed(allow) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::Throttled(wait) | Self::Unavailable(wait) => {
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

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl std::error::Error for Denial {}

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

    fn challenge_of(denial: &Denial) -> String {
        let response = denial.to_response(&Challenge::default());
        response.headers().get(WWW_AUTHENTICATE).map_or_else(String::new, |v| v.to_str().unwrap().to_owned())
    }

    #[test]
    fn denials_by_rfc_6750_3() {
        let read = Scopes::parse("read write").unwrap();
        let table = [
            (Denial::Missing, 401, "Bearer realm=\"tollgate\"".to_owned()),
            (
                Denial::Malformed("why"),
                400,
                "Bearer realm=\"tollgate\", error=\"invalid_request\", error_description=\"why\"".to_owned(),
            ),
            (
                Denial::InvalidToken,
                401,
                format!("Bearer realm=\"tollgate\", error=\"invalid_token\", error_description=\"{NEW_TOKEN}\""),
            ),
            (
                Denial::InsufficientScope(read),
                403,
                "Bearer realm=\"tollgate\", error=\"insufficient_scope\", error_description=\"the access token lacks a scope this resource needs\", scope=\"read write\"".to_owned(),
            ),
            (Denial::Unavailable, 503, String::new()),
        ];
        for (denial, status, challenge) in table {
            assert_eq!(denial.status().as_u16(), status, "{denial:?}");
            assert_eq!(challenge_of(&denial), challenge, "{denial:?}");
        }
    }

    #[test]
    fn a_dpop_challenge_by_rfc_9449_7_1() {
        let told = Challenge {
            dpop_algorithms: "ES256 RS256".to_owned(),
            announce_dpop: true,
            ..Challenge::default()
        };
        let silent = Challenge { announce_dpop: false, ..told.clone() };
        let challenges = |denial: &Denial, challenge: &Challenge| -> Vec<String> {
            let response = denial.to_response(challenge);
            let values = response.headers().get_all(WWW_AUTHENTICATE);
            values.iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let bearer = "Bearer realm=\"tollgate\"";
        let dpop = "DPoP realm=\"tollgate\", algs=\"ES256 RS256\"";
        assert_eq!(challenges(&Denial::Missing, &told), [bearer, dpop]);
        assert_eq!(challenges(&Denial::Missing, &silent), [bearer]);
        let bad = "DPoP realm=\"tollgate\", error=\"invalid_dpop_proof\", error_description=\"why\", algs=\"ES256 RS256\"";
        assert_eq!(challenges(&Denial::InvalidProof("why"), &silent), [bad]);
        let scope = Denial::Dpop(Box::new(Denial::InsufficientScope(Scopes::parse("read").unwrap())));
        assert_eq!(scope.status(), 403);
        let [value] = &challenges(&scope, &silent)[..] else { panic!() };
        assert!(value.starts_with("DPoP ") && value.contains(", scope=\"read\", algs="), "{value}");
        let down = Denial::Dpop(Box::new(Denial::Unavailable));
        assert_eq!((down.status().as_u16(), challenges(&down, &silent).len()), (503, 0));
        // RFC 9449 §7.2, figure 17: the Bearer challenge says what is wrong, the DPoP challenge what would be right.
        let [first, second] = &challenges(&Denial::NotHeld(Mismatch::KeyAsBearer), &silent)[..] else {
            panic!()
        };
        assert!(first.starts_with("Bearer ") && first.contains("error=\"invalid_token\""), "{first}");
        assert_eq!(second, dpop);
    }

    #[test]
    fn a_text_of_the_program_arrives_as_it_is_in_the_body_and_fits_the_challenge() {
        let denial = Denial::refused(format!("closed on {}\n", "søndag"));
        assert_eq!(denial.description(), "closed on søndag\n");
        assert!(challenge_of(&denial).ends_with("error_description=\"closed on s?ndag?\""));
    }

    #[test]
    fn a_realm_cannot_break_out_of_its_quotes() {
        let challenge = Challenge { realm: "a\", error=\"x\\".to_owned(), ..Challenge::default() };
        let response = Denial::Missing.to_response(&challenge);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"a', error='x/\"");
    }

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
