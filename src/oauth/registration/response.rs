//! The responses of the registration endpoint (RFC 7591 §3.2.1, RFC 7592 §3).

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use crate::oauth::secret::Secret;
use crate::response;

/// The members of a response that are not metadata of the client.
pub(crate) struct Issued<'a> {
    pub(crate) client_id: &'a str,
    /// The secret, if it was made by this request. It is shown once.
    pub(crate) secret: Option<&'a Secret>,
    /// Whether the client has a secret.
    pub(crate) has_secret: bool,
    /// When the client registered, in Unix seconds.
    pub(crate) issued_at: u64,
    pub(crate) uri: &'a str,
    pub(crate) access_token: &'a Secret,
}

/// Makes the client information response.
pub(crate) fn registered(
    status: StatusCode,
    issued: &Issued<'_>,
    metadata: Map<String, Value>,
) -> Response<Full<Bytes>> {
    let mut body = metadata;
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("client_id", json!(issued.client_id));
    put("client_id_issued_at", json!(issued.issued_at));
    if let Some(secret) = issued.secret {
        put("client_secret", json!(secret.expose()));
    }
    if issued.has_secret {
        // RFC 7591 §3.2.1: "0 if it will not expire".
        put("client_secret_expires_at", json!(0));
    }
    put("registration_client_uri", json!(issued.uri));
    put("registration_access_token", json!(issued.access_token.expose()));
    response::json(status, &body)
}

/// Makes the response to a client that has removed itself (RFC 7592 §2.3).
pub(crate) fn removed() -> Response<Full<Bytes>> {
    let mut response = response::json_text(StatusCode::NO_CONTENT, String::new());
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    response
}
