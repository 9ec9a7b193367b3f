//! The token endpoint (RFC 6749 §3.2, §4.4, §5).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

use super::super::client::ClientPolicy;
use super::super::client_auth::ClientAuth;
use super::super::form::Form;
use super::super::scope::Scopes;
use super::super::token::AccessToken;
use super::super::token_error::TokenError;
use crate::response;

/// The parameters of the token endpoint, which must not be in the query string.
pub(crate) const PARAMETERS: [&str; 7] = [
    "grant_type",
    "client_id",
    "client_secret",
    "scope",
    "resource",
    "client_assertion",
    "client_assertion_type",
];

/// A request for a token, not yet verified.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    is_client_credentials: bool,
    scope: Option<String>,
    /// The resource that the token is for (RFC 8707 §2). There is only one, because each of two resources
    /// could use the token at the other, and because RFC 6749 §3.2 allows every parameter once.
    pub resource: Option<String>,
}

impl TokenRequest {
    /// Reads a form: the client authentication, and the request.
    ///
    /// # Errors
    /// `invalid_request` without a `grant_type`, and the errors of [`ClientAuth::of`].
    pub(crate) fn read(headers: &HeaderMap, form: &Form<'_>) -> Result<(ClientAuth, Self), TokenError> {
        let grant_type = form.value("grant_type");
        let grant_type = grant_type.ok_or(TokenError::InvalidRequest("grant_type is missing"))?;
        let is_client_credentials = grant_type == "client_credentials";
        let auth = ClientAuth::of(headers, form)?;
        let owned = |name| form.value(name).map(str::to_owned);
        Ok((auth, Self { is_client_credentials, scope: owned("scope"), resource: owned("resource") }))
    }

    /// Returns the scopes that an authenticated client gets.
    ///
    /// # Errors
    /// `unsupported_grant_type`, `unauthorized_client` or `invalid_scope`, in this order.
    pub(crate) fn granted_scopes(&self, policy: &ClientPolicy) -> Result<Scopes, TokenError> {
        if !self.is_client_credentials {
            return Err(TokenError::UnsupportedGrantType);
        }
        if !policy.capabilities.client_credentials {
            return Err(TokenError::UnauthorizedClient);
        }
        let Some(asked) = &self.scope else { return Ok(policy.default_scopes.clone()) };
        let asked = Scopes::parse(asked).map_err(|_| TokenError::InvalidScope)?;
        if policy.scopes.contains_all(&asked) { Ok(asked) } else { Err(TokenError::InvalidScope) }
    }
}

/// Makes the answer with a token (RFC 6749 §5.1). It has a `scope` if any was granted.
#[must_use]
pub(crate) fn issued(
    token: &AccessToken,
    token_type: &str,
    lifetime: Duration,
    scopes: &Scopes,
) -> Response<Full<Bytes>> {
    // Written out, because a serializer costs several times as much. No part has a character that JSON
    // escapes: tokens are base64url, and scopes have neither `"` nor `\` (RFC 6749 §3.3).
    let seconds = lifetime.as_secs().to_string();
    let scope = scopes.as_str();
    let (before, after) = if scope.is_empty() { ("", "") } else { ("\"scope\":\"", "\",") };
    let body = [
        "{\"access_token\":\"",
        token.expose(),
        "\",",
        before,
        scope,
        after,
        "\"token_type\":\"",
        token_type,
        "\",\"expires_in\":",
        &seconds,
        "}",
    ];
    response::json_text(StatusCode::OK, body.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::Capabilities;

    fn policy() -> ClientPolicy {
        let s = |text| Scopes::parse(text).unwrap();
        ClientPolicy {
            capabilities: Capabilities { client_credentials: true, introspection: false },
            scopes: s("read write"),
            default_scopes: s("read"),
            token_lifetime: Duration::from_secs(299),
            enabled: true,
        }
    }

    fn granted(body: &str, policy: &ClientPolicy) -> Result<String, TokenError> {
        let form = Form::parse(body.as_bytes()).unwrap();
        TokenRequest::read(&HeaderMap::new(), &form)?.1.granted_scopes(policy).map(|s| s.to_string())
    }

    #[test]
    fn table() {
        let with = |rest: &str| format!("client_id=a&client_secret=b&{rest}");
        let table = [
            ("grant_type=client_credentials", Ok("read".to_owned())),
            ("grant_type=client_credentials&scope=", Ok("read".to_owned())),
            ("grant_type=client_credentials&scope=write+read+write", Ok("write read".to_owned())),
            ("grant_type=client_credentials&scope=admin", Err(TokenError::InvalidScope)),
            ("grant_type=client_credentials&scope=read++write", Err(TokenError::InvalidScope)),
            ("grant_type=client_credentials&scope=+read", Err(TokenError::InvalidScope)),
            ("grant_type=password", Err(TokenError::UnsupportedGrantType)),
            ("scope=read", Err(TokenError::InvalidRequest("grant_type is missing"))),
            ("grant_type=", Err(TokenError::InvalidRequest("grant_type is missing"))),
        ];
        for (rest, expected) in table {
            assert_eq!(granted(&with(rest), &policy()), expected, "{rest}");
        }
        let none = ClientPolicy { capabilities: Capabilities::default(), ..policy() };
        assert_eq!(
            granted(&with("grant_type=client_credentials"), &none),
            Err(TokenError::UnauthorizedClient)
        );
    }
}
