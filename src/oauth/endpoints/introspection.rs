//! Token introspection (RFC 7662).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::client_auth::ClientAuth;
use super::super::form::Form;
use super::super::grant::{Confirmation, Record};
use super::super::secret::Secret;
use super::super::thumbprint::Thumbprint;
use super::super::token_error::TokenError;
use crate::clock::Millis;
use crate::response;

/// The parameters of introspection and revocation.
pub(crate) const PARAMETERS: [&str; 6] =
    ["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// A request to introspect or revoke one token. RFC 7662 §2.1 and RFC 7009 §2.1 have the same form.
#[derive(Debug)]
pub(crate) struct TokenQuery {
    /// The client authentication.
    pub auth: ClientAuth,
    /// The token.
    pub token: Secret,
    /// The `token_type_hint`.
    pub hint: Option<String>,
}

impl TokenQuery {
    /// Reads a form.
    ///
    /// # Errors
    /// `invalid_request` without a `token`, and the errors of [`ClientAuth::of`].
    pub(crate) fn read(headers: &HeaderMap, form: &Form<'_>) -> Result<Self, TokenError> {
        let token = form.value("token").ok_or(TokenError::InvalidRequest("token is missing"))?;
        let auth = ClientAuth::of(headers, form)?;
        Ok(Self { auth, token: Secret::new(token), hint: form.value("token_type_hint").map(str::to_owned) })
    }
}

/// Makes the answer about a token that is not valid, which is the same for every reason (RFC 7662 §2.2).
#[must_use]
pub(crate) fn inactive() -> Response<Full<Bytes>> {
    response::json(StatusCode::OK, &json!({ "active": false }))
}

/// Makes the answer about a live token. `now` and `unix_time` are the same moment on the two clocks.
#[must_use]
pub(crate) fn active(
    record: &Record,
    issuer: &str,
    now: Millis,
    unix_time: Duration,
) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Body<'a> {
        active: bool,
        client_id: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        scope: &'a str,
        token_type: &'a str,
        exp: u64,
        iat: u64,
        nbf: u64,
        iss: &'a str,
        sub: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        aud: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cnf: Option<Value>,
    }
    let terms = record.grant().terms();
    let client = record.grant().client().id().as_str();
    let issued = unix_time.saturating_sub(now.since(record.issued())).as_secs();
    let bound = terms.confirmation.as_ref();
    let written = |sha256: &[u8; 32]| Thumbprint::from_bytes(*sha256).to_string();
    let certificate = bound.and_then(Confirmation::certificate).map(written);
    let key = bound.and_then(Confirmation::key).map(written);
    let token_type = if key.is_some() { "DPoP" } else { "bearer" };
    // RFC 8705 §3.2, RFC 9449 §6.2.
    let cnf = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), None) => Some(json!({ "x5t#S256": certificate })),
        (None, Some(key)) => Some(json!({ "jkt": key })),
        (Some(certificate), Some(key)) => Some(json!({ "x5t#S256": certificate, "jkt": key })),
    };
    response::json(
        StatusCode::OK,
        &Body {
            active: true,
            client_id: client,
            scope: terms.scopes.as_str(),
            token_type,
            exp: issued + record.grant().lifetime().as_secs(),
            iat: issued,
            nbf: issued,
            iss: issuer,
            sub: client,
            aud: terms.audience.as_deref(),
            cnf,
        },
    )
}
