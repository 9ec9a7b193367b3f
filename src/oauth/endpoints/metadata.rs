//! The metadata documents (RFC 8414 and RFC 9728).

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::response;

/// The path of the metadata of the authorization server (RFC 8414 §3).
pub(crate) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// The path of the metadata of the protected resource (RFC 9728 §3).
pub(crate) const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// The path of the keys that verify the JWTs of the gate (RFC 7517 §5).
pub(crate) const KEY_SET: &str = "/.well-known/jwks.json";

/// The contents of the documents.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    /// The issuer identifier.
    pub issuer: String,
    /// The path of the token endpoint.
    pub token_endpoint: String,
    /// The path of the introspection endpoint.
    pub introspection_endpoint: String,
    /// The path of the revocation endpoint.
    pub revocation_endpoint: String,
    /// The path where clients register themselves, if they may.
    pub registration_endpoint: Option<String>,
    /// All scopes.
    pub scopes: Vec<String>,
    /// The ways in which clients may authenticate.
    pub auth_methods: Vec<&'static str>,
    /// The algorithms of signed assertions. Empty if no client signs.
    pub signing_algorithms: Vec<&'static str>,
    /// The algorithms of DPoP proofs. Empty if DPoP is not supported.
    pub dpop_algorithms: Vec<&'static str>,
    /// Whether there are certificate-bound tokens (RFC 8705 §3.3).
    pub certificate_bound_tokens: bool,
    /// Whether there are keys at [`KEY_SET`].
    pub key_set: bool,
}

impl Metadata {
    /// Returns the URL of one of the gate's paths.
    #[must_use]
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.trim_end_matches('/'))
    }

    /// Makes the document of RFC 8414 §2.
    #[must_use]
    pub(crate) fn authorization_server(&self) -> Value {
        let url = |path: &str| self.url(path);
        let mut document = json!({
            "issuer": self.issuer,
            "token_endpoint": url(&self.token_endpoint),
            "token_endpoint_auth_methods_supported": self.auth_methods,
            "introspection_endpoint": url(&self.introspection_endpoint),
            "introspection_endpoint_auth_methods_supported": self.auth_methods,
            "revocation_endpoint": url(&self.revocation_endpoint),
            "revocation_endpoint_auth_methods_supported": self.auth_methods,
            "grant_types_supported": ["client_credentials"],
            // RFC 8414 §2 requires it even without an authorization endpoint, and §3.2 forbids an empty
            // array. "none" is the registered type that returns nothing.
            "response_types_supported": ["none"],
        });
        if self.key_set {
            document["jwks_uri"] = json!(url(KEY_SET));
        }
        if !self.signing_algorithms.is_empty() {
            for endpoint in ["token", "introspection", "revocation"] {
                let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
                document[name] = json!(self.signing_algorithms);
            }
        }
        if let Some(path) = &self.registration_endpoint {
            document["registration_endpoint"] = json!(url(path));
        }
        self.add_common(&mut document);
        document
    }

    /// Makes the document of RFC 9728 §2. The gateway is its own resource.
    #[must_use]
    pub(crate) fn protected_resource(&self) -> Value {
        let mut document = json!({
            "resource": self.issuer,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        });
        self.add_common(&mut document);
        document
    }

    /// Adds what both documents have. Empty arrays are left out (RFC 8414 §3.2, RFC 9728 §3.2).
    fn add_common(&self, document: &mut Value) {
        if !self.scopes.is_empty() {
            document["scopes_supported"] = json!(self.scopes);
        }
        if !self.dpop_algorithms.is_empty() {
            document["dpop_signing_alg_values_supported"] = json!(self.dpop_algorithms);
        }
        if self.certificate_bound_tokens {
            document["tls_client_certificate_bound_access_tokens"] = json!(true);
        }
    }

    /// Returns the URL of the metadata of the protected resource, which challenges name (RFC 9728 §5.1). The
    /// path of the resource follows the path of the document (§3.1).
    #[must_use]
    pub(crate) fn resource_metadata_url(&self) -> String {
        let path = issuer_path(&self.issuer);
        let issuer = self.issuer.trim_end_matches('/');
        format!("{}{PROTECTED_RESOURCE}{path}", issuer.strip_suffix(path).unwrap_or(issuer))
    }
}

/// Returns the path of an issuer identifier, without a trailing slash.
pub(crate) fn issuer_path(issuer: &str) -> &str {
    let (_, rest) = issuer.split_once("://").unwrap_or_default();
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().trim_end_matches('/')
}

/// Answers a request for one of the documents.
#[must_use]
pub(crate) fn respond(method: &Method, document: &Value) -> Response<Full<Bytes>> {
    if method == Method::GET || method == Method::HEAD {
        return response::json(StatusCode::OK, document);
    }
    let mut response = response::problem(StatusCode::METHOD_NOT_ALLOWED, "this document can only be read");
    response.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
    response
}
