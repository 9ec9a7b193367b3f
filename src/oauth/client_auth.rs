//! The client authentication in a request (RFC 6749 §2.3, RFC 7521 §4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use zeroize::Zeroizing;

use super::form::{self, Form};
use super::secret::Secret;
use super::token_error::TokenError;

/// `client_assertion_type` of RFC 7523 §2.2.
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client authentication in a request, not yet verified.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientAuth {
    /// A client id and its secret.
    Secret {
        /// The client id.
        client_id: String,
        /// The secret.
        secret: Secret,
        /// The way in which it was sent.
        method: SecretMethod,
    },
    /// A signed assertion (RFC 7523); its `sub` names the client.
    #[cfg_attr(not(any(test, feature = "jose")), expect(dead_code, reason = "read with the feature `jose`"))]
    Assertion {
        /// The `client_id`, if the body has one too.
        client_id: Option<String>,
        /// The compact JWS.
        assertion: Secret,
    },
    /// Only a `client_id`. The client is authenticated by the certificate of its connection (RFC 8705 §2).
    #[cfg_attr(not(any(test, feature = "jose")), expect(dead_code, reason = "read with the feature `jose`"))]
    Id(String),
}

/// The way in which a secret was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretMethod {
    /// `client_secret_basic`: the HTTP Basic scheme.
    Basic,
    /// `client_secret_post`: parameters in the body.
    Post,
}

impl ClientAuth {
    /// Finds the only way in which a request authenticates its client.
    ///
    /// # Errors
    /// `invalid_request` if there is more than one way, `invalid_client` if there is none or if
    /// `Authorization` is not well-formed Basic.
    pub fn of(headers: &HeaderMap, form: &Form<'_>) -> Result<Self, TokenError> {
        let basic = basic(headers)?;
        let body_id = form.value("client_id");
        let body_secret = form.value("client_secret");
        let assertion = assertion(form)?;
        // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
        if usize::from(basic.is_some())
            + usize::from(body_secret.is_some())
            + usize::from(assertion.is_some())
            > 1
        {
            return Err(TokenError::InvalidRequest("more than one way of client authentication"));
        }
        if let Some((client_id, secret)) = basic {
            return match body_id {
                Some(other) if other != client_id => {
                    Err(TokenError::InvalidRequest("client_id is not the client of the Authorization header"))
                }
                _ => Ok(Self::Secret { client_id, secret, method: SecretMethod::Basic }),
            };
        }
        let body_id = body_id.map(str::to_owned);
        match (assertion, body_id, body_secret) {
            (Some(assertion), client_id, _) => Ok(Self::Assertion { client_id, assertion }),
            (None, Some(client_id), Some(secret)) => {
                Ok(Self::Secret { client_id, secret: Secret::new(secret), method: SecretMethod::Post })
            }
            (None, Some(client_id), None) => Ok(Self::Id(client_id)),
            (None, None, _) => Err(TokenError::InvalidClient),
        }
    }
}

fn assertion(form: &Form<'_>) -> Result<Option<Secret>, TokenError> {
    match (form.value("client_assertion_type"), form.value("client_assertion")) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(Secret::new(assertion))),
        (Some(_), Some(_)) => Err(TokenError::InvalidClient),
        _ => Err(TokenError::InvalidRequest("client_assertion and client_assertion_type go together")),
    }
}

fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse_basic(value).map(Some).ok_or(TokenError::InvalidClient),
        (Some(_), Some(_)) => Err(TokenError::InvalidRequest("more than one Authorization header")),
    }
}

/// Parses Basic credentials (RFC 7617 §2), with both parts form-encoded (RFC 6749 §2.3.1).
fn parse_basic(value: &HeaderValue) -> Option<(String, Secret)> {
    let bytes = value.as_bytes();
    let (scheme, credentials) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == b' ')?)?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim_ascii()).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let client_id = form::decode(decoded.get(..colon)?).ok()?;
    let secret = form::decode(decoded.get(colon + 1..)?).ok()?;
    (!client_id.is_empty()).then(|| (client_id.into_owned(), Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(authorization: &[&str], body: &str) -> Result<(String, String), TokenError> {
        let headers = authorization
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()))
            .collect();
        match ClientAuth::of(&headers, &Form::parse(body.as_bytes()).unwrap())? {
            ClientAuth::Secret { client_id, secret, .. } => Ok((client_id, secret.expose().to_owned())),
            ClientAuth::Assertion { client_id, assertion } => {
                Ok((client_id.unwrap_or_default(), assertion.expose().to_owned()))
            }
            ClientAuth::Id(client_id) => Ok((client_id, String::new())),
        }
    }

    fn base64(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn one_way_is_taken() {
        let good = [
            (vec![], "client_id=a&client_secret=b", ("a", "b")),
            (vec![base64("a:b")], "", ("a", "b")),
            (vec![base64("a:b").replace("Basic", "bASIC")], "", ("a", "b")),
            // RFC 6749 §2.3.1: both parts are form-encoded.
            (vec![base64("a%3Ab+c:p%25+%2B")], "", ("a:b c", "p% +")),
            (vec![base64("a:b:c")], "", ("a", "b:c")),
            (vec![base64("a:b")], "client_id=a", ("a", "b")),
            (vec![base64("a:")], "", ("a", "")),
            (vec![], "client_id=a", ("a", "")),
        ];
        for (authorization, body, (id, secret)) in good {
            let authorization: Vec<&str> = authorization.iter().map(String::as_str).collect();
            assert_eq!(
                auth(&authorization, body),
                Ok((id.to_owned(), secret.to_owned())),
                "{authorization:?} {body}"
            );
        }
    }

    #[test]
    fn two_ways_are_refused() {
        let ab = base64("a:b");
        let table = [
            (vec![&*ab], "client_id=a&client_secret=b"),
            (vec![&*ab], "client_secret=b"),
            (vec![&*ab], "client_id=other"),
            (vec![&*ab, &*ab], ""),
            (
                vec![&*ab],
                "client_assertion=x&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            (vec![], "client_id=a&client_assertion=x"),
        ];
        for (authorization, body) in table {
            assert!(matches!(auth(&authorization, body), Err(TokenError::InvalidRequest(_))), "{body}");
        }
    }

    #[test]
    fn none_or_broken_is_invalid_client() {
        let no_colon = base64("ab");
        let no_id = base64(":b");
        let broken_escape = base64("a%zz:b");
        for value in ["Basic", "Basic ", "Basic !!", "Bearer abc", &no_colon, &no_id, &broken_escape] {
            assert_eq!(auth(&[value], ""), Err(TokenError::InvalidClient), "{value}");
        }
        assert_eq!(auth(&[], "client_secret=b"), Err(TokenError::InvalidClient));
    }
}
