//! The keys of a gate, and the numbers about what it has signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Response, StatusCode, request};
use http_body_util::Full;

use crate::gate::jwt::ring::KeyRing;
use crate::response;

/// The terms on which JWTs are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JwtPolicy {
    /// The longest lifetime of a JWT.
    pub(crate) lifetime: Duration,
}

/// The keys of a gate, and what it has signed.
#[derive(Debug, Default)]
pub(crate) struct JwtSigner {
    pub(super) keys: ArcSwapOption<KeyRing>,
    /// The generation of the keys and settings. JWTs of an earlier one are not used any more.
    pub(super) generation: AtomicU64,
    pub(super) signed: AtomicU64,
    pub(super) kept: Arc<AtomicUsize>,
}

/// The numbers about signed JWTs, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JwtStats {
    /// How many were signed.
    pub(crate) signed: u64,
    /// How many are kept.
    pub(crate) kept: usize,
    /// How many keys are published.
    pub(crate) keys: usize,
    /// How long the key that signs has done so, if that is known.
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
