//! The introspection endpoint, over HTTP.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::gate::remote::error::{IntrospectionError, RemoteGateError};
use crate::oauth::form;
use crate::oauth::secret::Secret;

/// The largest answer that is read. The gateway's are below 1 KiB.
const MAX_ANSWER: usize = 16 * 1024;
/// The time for which an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// The client id and secret that a [`RemoteGate`](super::RemoteGate) introspects with. The client needs the
/// capability `introspection`.
///
/// ```
/// use tollgate::gate::Credentials;
///
/// let credentials = Credentials::new("orders-api", "Password1");
/// assert!(!format!("{credentials:?}").contains("Password1"));
/// ```
#[derive(Debug, Clone)]
pub struct Credentials {
    id: String,
    secret: Secret,
}

impl Credentials {
    /// Makes credentials.
    #[must_use]
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { id: client_id.into(), secret: Secret::new(client_secret) }
    }

    /// Returns the `Authorization` header, with both parts form-encoded (RFC 6749 §2.3.1).
    fn header(&self) -> Result<HeaderValue, RemoteGateError> {
        let pair = format!("{}:{}", form::encode(&self.id), form::encode(self.secret.expose()));
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
        let mut value = value.map_err(|_| RemoteGateError::Credentials)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The endpoint and the connections to it.
pub(super) struct Endpoint {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    authorization: HeaderValue,
}

impl Endpoint {
    /// Prepares an endpoint with at most `max_idle` unused connections. It does not connect.
    pub(super) fn new(
        url: &str,
        credentials: &Credentials,
        tls: ClientConfig,
        max_idle: usize,
        timeout: Duration,
    ) -> Result<Self, RemoteGateError> {
        let uri = parse(url).ok_or(RemoteGateError::Url)?;
        let mut http = HttpConnector::new();
        // The outer connector adds TLS.
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(max_idle)
            .build(connector);
        Ok(Self { client, uri, authorization: credentials.header()? })
    }

    /// Introspects a token. Returns the body of a response with status 200.
    pub(super) async fn ask(&self, token: &str) -> Result<Bytes, IntrospectionError> {
        let body = Bytes::from(format!("token={}", form::encode(token)));
        let answer = match self.send(body.clone()).await {
            // The endpoint may have closed a pooled connection. Sending the request again is harmless,
            // because introspection changes nothing.
            Err(error) if !error.is_connect() => self.send(body).await,
            answer => answer,
        };
        let answer = answer.map_err(|error| IntrospectionError::Unreachable(error.into()))?;
        if answer.status() != StatusCode::OK {
            return Err(IntrospectionError::Status(answer.status()));
        }
        match Limited::new(answer.into_body(), MAX_ANSWER).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(IntrospectionError::TooLarge),
            Err(error) => Err(IntrospectionError::Unreachable(error)),
        }
    }

    async fn send(
        &self,
        body: Bytes,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("tollgate"));
        self.client.request(request).await
    }
}

/// Parses the URL of the endpoint. Credentials and tokens are sent there, so it must be `https://`, or
/// `http://` on loopback.
fn parse(url: &str) -> Option<Uri> {
    // A fragment would be dropped silently.
    let uri: Uri = url.parse().ok().filter(|_| !url.contains('#'))?;
    let host = uri.host()?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_loopback = address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
    let is_private = match uri.scheme_str()? {
        "https" => true,
        "http" => is_loopback,
        _ => false,
    };
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    (is_private && !has_user && uri.query().is_none()).then_some(uri)
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("uri", &self.uri).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_urls_without_anything_else_are_accepted() {
        for good in [
            "https://gateway.example.com/oauth/v2/oauth-introspect",
            "https://gateway.example.com:8443/introspect",
            "http://127.0.0.1:8080/introspect",
            "http://127.9.9.9/introspect",
            "http://[::1]:8080/introspect",
            "http://localhost/introspect",
        ] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "/introspect",
            "gateway.example.com",
            "http://gateway.example.com/introspect",
            "http://10.0.0.1/introspect",
            "http://127.0.0.1.example.com/introspect",
            "http://localhost.example.com/introspect",
            "ftp://127.0.0.1/introspect",
            "https://user:password@gateway.example.com/introspect",
            "https://gateway.example.com/introspect?token=x",
            "https://gateway.example.com/introspect#x",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn credentials_are_form_encoded_and_do_not_print() {
        let credentials = Credentials::new("a:b", "p% +");
        let header = credentials.header().unwrap();
        assert_eq!(header.to_str().unwrap(), format!("Basic {}", STANDARD.encode("a%3Ab:p%25+%2B")));
        assert!(header.is_sensitive());
        assert!(!format!("{credentials:?}{header:?}").contains("p%"));
    }
}
