//! A store that has to be queried, because another gateway may have issued or revoked the token.

use std::sync::atomic::AtomicBool;

use http::HeaderMap;

use super::*;
use crate::clock::Millis;
use crate::oauth::client::ClientId;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::{Found, Health, MemoryStore, Pending, StoreError, TokenStore};

/// Tokens in another process. Every query takes some time.
struct Elsewhere {
    tokens: MemoryStore,
    asked: AtomicUsize,
    gone: AtomicBool,
}

impl Elsewhere {
    fn new() -> Arc<Self> {
        let asked = AtomicUsize::new(0);
        Arc::new(Self { tokens: MemoryStore::new(10), asked, gone: AtomicBool::new(false) })
    }

    fn later<'a, T: Send + 'a>(&self, result: Result<T, StoreError>) -> Pending<'a, Result<T, StoreError>> {
        let gone = self.gone.load(Ordering::Relaxed);
        Pending::Wait(Box::pin(async move {
            tokio::task::yield_now().await;
            if gone { Err(StoreError::Unavailable) } else { result }
        }))
    }
}

impl TokenStore for Elsewhere {
    fn find(&self, _: &TokenDigest) -> Found {
        Found::Ask
    }

    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.later(Ok(self.tokens.find(&token).known()))
    }

    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
        self.later(self.tokens.insert(token, record).ready().unwrap())
    }

    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        self.later(self.tokens.revoke(token).ready().unwrap())
    }

    fn end_epoch(&self, _: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
        self.later(Ok(epoch + 1))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        self.tokens.sweep(now, at_most, forgotten)
    }

    fn len(&self) -> usize {
        self.tokens.len()
    }

    fn health(&self) -> Health {
        if self.gone.load(Ordering::Relaxed) { Health::Unavailable } else { Health::Good }
    }
}

fn shared_gate() -> (Arc<Elsewhere>, Gate) {
    let store = Elsewhere::new();
    let builder = Gate::builder(spec("Password1")).hashing_threads(1);
    let gate = builder.store(Arc::<Elsewhere>::clone(&store)).build().unwrap();
    (store, gate)
}

async fn bearer(gate: &Gate) -> HeaderMap {
    let token = gate.issue_to_async("server", "read").await.unwrap();
    HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {}", token.expose()).parse().unwrap())])
}

fn with(headers: &HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.headers_mut() = headers.clone();
    request
}

fn unknown() -> HeaderMap {
    let token = crate::oauth::token::AccessToken::from_random(&[9; 32]);
    HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {}", token.expose()).parse().unwrap())])
}

#[tokio::test]
async fn a_caller_that_cannot_wait_gets_503_and_one_that_waits_gets_the_answer() {
    let (store, gate) = shared_gate();
    assert_eq!(gate.issue_to("server", "read").unwrap_err().status(), 503);
    let headers = bearer(&gate).await;
    assert_eq!(gate.authorize(&headers, &read()).err(), Some(Denial::Unavailable));
    let permit = gate.authorize_async(&headers, &read()).await.unwrap();
    assert_eq!(permit.client_id(), Some("server"));
    assert_eq!(store.asked.load(Ordering::Relaxed), 1, "one question for one request");
    assert!(!gate.still_permits(&permit) && gate.still_permits_async(&permit).await);
    let write = Requirement::all("write").unwrap();
    assert_eq!(gate.authorize_async(&headers, &write).await.unwrap_err().status(), 403);
    assert_eq!(gate.authorize_async(&unknown(), &read()).await.err(), Some(Denial::InvalidToken));
    assert_eq!(gate.revoke_all_async("server").await, Ok(true));
    assert_eq!(gate.authorize_async(&headers, &read()).await.err(), Some(Denial::InvalidToken));
    assert!(!gate.still_permits_async(&permit).await);
    store.gone.store(true, Ordering::Relaxed);
    let again = gate.authorize_async(&headers, &read()).await;
    assert_eq!(again.err(), Some(Denial::Unavailable), "failure is not absence");
    assert_eq!(gate.revoke_all_async("server").await, Err(StoreError::Unavailable));
}

#[tokio::test]
async fn the_layer_waits_for_the_store_with_and_without_a_condition() {
    let (store, gate) = shared_gate();
    let headers = bearer(&gate).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let inner = || Reluctant { asked: 0, calls: Arc::clone(&calls) };
    let plain = gate.require("read").layer(inner());
    let refusing = |_: &Permit, _: &Parts| Err(Denial::refused("no"));
    let refusing = gate.require("read").and(refusing).layer(inner());
    let slow = gate.require("read").and_async(|_: Permit, _: Parts| async { Ok(()) }).layer(inner());

    assert_eq!(plain.clone().oneshot(with(&headers)).await.unwrap().status(), 200);
    assert_eq!(slow.clone().oneshot(with(&headers)).await.unwrap().status(), 200);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(refusing.oneshot(with(&headers)).await.unwrap().status(), 403);
    assert_eq!(plain.clone().oneshot(with(&unknown())).await.unwrap().status(), 401);
    assert_eq!(slow.clone().oneshot(with(&unknown())).await.unwrap().status(), 401);
    store.gone.store(true, Ordering::Relaxed);
    assert_eq!(plain.oneshot(with(&headers)).await.unwrap().status(), 503);
    assert_eq!(slow.oneshot(with(&headers)).await.unwrap().status(), 503);
    assert_eq!(calls.load(Ordering::Relaxed), 2, "no refused request reached the service");
}
