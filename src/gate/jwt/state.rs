//! The signing keys of a gate, and the numbers of JWTs that it has signed and keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Response, StatusCode, request};
use http_body_util::Full;

use crate::gate::jwt::ring::KeyRing;
use crate::response;

/// The settings for signing JWTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JwtPolicy {
    /// The longest lifetime of a JWT.
    pub(crate) lifetime: Duration,
}

/// The signing keys of a gate, and the numbers of JWTs that it has signed and keeps.
#[derive(Debug, Default)]
pub(crate) struct JwtSigner {
    pub(super) keys: ArcSwapOption<KeyRing>,
    /// The generation of the keys and settings. JWTs of an earlier generation are not used any more.
    pub(super) generation: AtomicU64,
    pub(super) signed: AtomicU64,
    pub(super) kept: Arc<AtomicUsize>,
}

/// The numbers about signed JWTs, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JwtStats {
    /// The number of JWTs that were signed.
    pub(crate) signed: u64,
    /// The number of JWTs that are kept.
    pub(crate) kept: usize,
    /// The number of published keys.
    pub(crate) keys: usize,
    /// For how long the signing key has been signing, if that is known.
    pub(crate) key_age: Option<Duration>,
}

impl JwtSigner {
    /// Stops using the JWTs that were signed so far.
    pub(in crate::gate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Answers a request for the published keys.
    pub(in crate::gate) fn respond(&self, parts: &request::Parts) -> Response<Full<Bytes>> {
        match &*self.keys.load() {
            Some(keys) => keys.respond(parts),
            None => response::problem(StatusCode::SERVICE_UNAVAILABLE, "there are no keys yet"),
        }
    }
}
