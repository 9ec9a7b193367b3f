//! The naive alternative: the bare lookup, and a layer around it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use http::{HeaderMap, Request, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tower::Service;

use crate::tokens::Tokens;

/// From digest to expiry and owner only: half a SHA-256 as the key, sixteen bytes as the value, no second
/// hashing.
pub(crate) struct Bare {
    tokens: DashMap<[u64; 2], (u64, u64), BuildHasherDefault<PassThrough>>,
}

impl Bare {
    pub(crate) fn of(tokens: &Tokens) -> Self {
        let map = DashMap::default();
        for (at, token) in tokens.iter().enumerate() {
            map.insert(half_digest(token), (at as u64, u64::MAX));
        }
        Self { tokens: map }
    }

    pub(crate) fn find(&self, token: &[u8]) -> Option<(u64, u64)> {
        self.tokens.get(&half_digest(token)).map(|found| *found)
    }
}

fn half_digest(token: &[u8]) -> [u64; 2] {
    let digest = Sha256::digest(token);
    let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| digest[at + byte]));
    [word(0), word(8)]
}

/// The response of all services here.
pub(crate) type Answer = Ready<Result<Response<()>, Infallible>>;

#[derive(Default)]
pub(crate) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // An array of words is hashed as bytes at once.
        self.0 = bytes.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
    }

    fn write_usize(&mut self, _: usize) {}
}

/// What the naive layer stores for a token.
pub(crate) struct Owner {
    scopes: HashSet<String>,
    expires: Instant,
}

/// SHA-256, dashmap with its default hasher, an expiry and a set of scopes, in a layer of thirty lines.
#[derive(Clone)]
pub(crate) struct NaiveLayer<S> {
    inner: S,
    tokens: Arc<DashMap<[u8; 32], Arc<Owner>>>,
}

impl<S> NaiveLayer<S> {
    #[expect(clippy::disallowed_methods, reason = "the naive layer knows no clock but the system's")]
    pub(crate) fn new(inner: S, tokens: &Tokens) -> Self {
        let owner = Arc::new(Owner {
            scopes: ["read".to_owned(), "write".to_owned()].into(),
            expires: Instant::now() + Duration::from_secs(3600),
        });
        let digests = tokens.iter().map(|token| (Sha256::digest(token).into(), Arc::clone(&owner)));
        Self { inner, tokens: Arc::new(digests.collect()) }
    }

    #[expect(clippy::disallowed_methods, reason = "the naive layer knows no clock but the system's")]
    fn owner(&self, headers: &HeaderMap) -> Option<Arc<Owner>> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let owner = Arc::clone(&*self.tokens.get(&digest)?);
        (owner.expires > Instant::now() && owner.scopes.contains("read")).then_some(owner)
    }
}

impl<S> Service<Request<()>> for NaiveLayer<S>
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible, Future = Answer>,
{
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        match self.owner(request.headers()) {
            Some(owner) => {
                request.extensions_mut().insert(owner);
                self.inner.call(request)
            }
            None => {
                let mut refusal = Response::new(());
                *refusal.status_mut() = StatusCode::UNAUTHORIZED;
                ready(Ok(refusal))
            }
        }
    }
}
