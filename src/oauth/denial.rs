//! The denials of protected requests, and the only place that turns them into HTTP.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
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
    /// The token is bound to a key and came without a valid proof of it: 401 `invalid_dpop_proof` (RFC 9449
    /// §7.1).
    InvalidProof(&'static str),
    /// The token is bound to something that the request does not prove to hold: 401 `invalid_token` (RFC 8705
    /// §3, RFC 9449 §7).
    NotHeld(Mismatch),
    /// The denial of a token under the DPoP scheme: the same answer, with a challenge of that scheme (RFC
    /// 9449 §7.1).
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
    /// Whether the answer to a request without a token also has a DPoP challenge. Many clients read only one
    /// challenge, so it is left out unless a client has to use DPoP.
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
pub(super) struct OAuthBody<'a> {
    pub(super) error: &'a str,
    pub(super) error_description: &'a str,
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

    /// Returns the text for the caller. Except for the text of [`Denial::Refused`], it never depends on the
    /// request.
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

    /// Returns whether the token is valid and the request needs another one: more scopes, or another audience.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_about_valid_token(&self) -> bool {
        matches!(self.plain(), Self::InsufficientScope(_) | Self::WrongAudience)
    }

    /// Returns whether the token was found, although the request may not be the token's owner's.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_about_found_token(&self) -> bool {
        self.is_about_valid_token() || matches!(self.plain(), Self::NotHeld(_))
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

/// Makes a text fit for a quoted-string of a challenge. RFC 6750 §3 allows neither quotes nor backslashes in
/// an `error_description`, not even escaped, and nothing but printable ASCII. The JSON body has the text as
/// it is.
pub(super) fn quoted(text: &str) -> String {
    let allowed = |character| match character {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => character,
        _ => '?',
    };
    text.chars().map(allowed).collect()
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl std::error::Error for Denial {}

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
        // RFC 9449 §7.2, figure 17: the Bearer challenge says what is wrong, the DPoP challenge what would be
        // right.
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
}
