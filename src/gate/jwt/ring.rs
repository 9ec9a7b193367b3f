//! The keys of a gate at one time: the key that signs, and the published keys.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, Response, StatusCode, request};
use http_body_util::Full;
use serde_json::json;

use crate::gate::jwt::key::{SigningKey, SigningKeyError};
use crate::oauth::jose::SigningAlgorithm;
use crate::oauth::thumbprint::Thumbprint;
use crate::response;

/// The key that signs, and the published set of keys (RFC 7517 §5).
#[derive(Debug)]
pub(crate) struct KeyRing {
    signing: Arc<SigningKey>,
    /// The time since 1970 at which the signing key began to sign, if that is known.
    signs_since: Option<Duration>,
    kids: Vec<Box<str>>,
    document: Bytes,
    etag: HeaderValue,
    cache_control: HeaderValue,
}

impl KeyRing {
    /// Makes a ring. The published set has the signing key first, and then the other keys of `published` in
    /// their order. Verifiers may cache the set for `max_age`.
    pub(crate) fn new(
        signing: Arc<SigningKey>,
        signs_since: Option<Duration>,
        published: &[Arc<SigningKey>],
        max_age: Duration,
    ) -> Self {
        let mut keys: Vec<&SigningKey> = Vec::new();
        for key in std::iter::once(&signing).chain(published) {
            if !keys.iter().any(|known| known.kid() == key.kid()) {
                keys.push(key);
            }
        }
        let jwks: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        let document = Bytes::from(json!({ "keys": jwks }).to_string());
        let kids = keys.iter().map(|key| key.kid().into()).collect();
        let header = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        let etag = header(format!("\"{}\"", Thumbprint::of(&document)));
        let cache_control = header(format!("public, max-age={}", max_age.as_secs()));
        Self { signs_since, kids, document, etag, cache_control, signing }
    }

    /// Makes a ring with a new key that is kept nowhere, for a gate that forwards nothing.
    pub(crate) fn throwaway() -> Result<Self, SigningKeyError> {
        let key = SigningKey::from_pkcs8(&SigningKey::generate(SigningAlgorithm::EdDsa)?)?;
        Ok(Self::new(Arc::new(key), None, &[], Duration::ZERO))
    }

    /// Returns the key that signs.
    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Returns the time since 1970 at which the signing key began to sign, if that is known.
    pub(crate) fn signs_since(&self) -> Option<Duration> {
        self.signs_since
    }

    /// Returns how many keys are published.
    pub(crate) fn published(&self) -> usize {
        self.kids.len()
    }

    /// Returns whether both rings have the same signing key and the same response with the published keys.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.signing.kid() == other.signing.kid()
            && self.document == other.document
            && self.cache_control == other.cache_control
    }

    /// Returns whether every key of `before` is still published.
    pub(super) fn has_all_of(&self, before: &Self) -> bool {
        before.kids.iter().all(|kid| self.kids.contains(kid))
    }

    /// Answers a request for the published keys.
    pub(super) fn respond(&self, parts: &request::Parts) -> Response<Full<Bytes>> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            let mut response =
                response::problem(StatusCode::METHOD_NOT_ALLOWED, "this document can only be read");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let same = |value: &HeaderValue| {
            let tags = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            let weak = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes();
            tags.into_iter().any(|tag| tag == b"*" || weak(tag))
        };
        let mut response = if parts.headers.get_all(IF_NONE_MATCH).iter().any(same) {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            response::json_bytes(StatusCode::OK, self.document.clone())
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        headers.insert(ETAG, self.etag.clone());
        response
    }
}
