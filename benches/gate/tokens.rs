//! A gate with many live tokens, and batches of requests that carry them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, header};
use tollgate::clock::{Clock as _, SystemClock};
use tollgate::gate::{Gate, GateSpec};
use tollgate::oauth::AccessToken;
use tollgate::oauth::Scopes;
use tollgate::oauth::{ClientId, ClientState};
use tollgate::oauth::{Grant, Record, Terms};
use tollgate::store::{MemoryStore, TokenStore};

/// Large enough that reading the clock does not matter, small enough that the requests stay in the
/// first-level cache, like one that was just parsed.
const BATCH: usize = 16;
/// Longer than any run.
const LIFETIME: Duration = Duration::from_secs(3600);

pub(crate) struct Tokens {
    pub(crate) gate: Gate,
    texts: Vec<[u8; AccessToken::LENGTH]>,
}

impl Tokens {
    pub(crate) fn issue(count: usize) -> Self {
        let store = Arc::new(MemoryStore::new(count));
        let clock = Arc::new(SystemClock::new());
        let grant = grant(LIFETIME);
        let mut random = Random::new(0);
        let texts = (0..count).map(|_| {
            let token = random.token();
            let record = Record::new(Arc::clone(&grant), clock.now());
            let inserted = store.insert(token.digest(), record).ready();
            assert_eq!(inserted, Some(Ok(())), "the store has room for all");
            token.expose().as_bytes().try_into().expect("every token has this length")
        });
        let texts = texts.collect();
        let gate = Gate::builder(GateSpec::default())
            .store(store)
            .clock(clock)
            .hashing_threads(1)
            .build()
            .expect("threads and randomness");
        Self { gate, texts }
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8; AccessToken::LENGTH]> {
        self.texts.iter()
    }
}

pub(crate) fn grant(lifetime: Duration) -> Arc<Grant> {
    let client = ClientState::new(ClientId::new("server").expect("a client id"));
    let scopes = Scopes::parse("read write").expect("two scopes");
    Arc::new(Grant::new(client, 0, Terms { scopes, lifetime, audience: None, confirmation: None }))
}

/// Requests with tokens drawn at random from the whole store.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) requests: Vec<Request<()>>,
}

impl Batch {
    pub(crate) fn draw(tokens: &Tokens, random: &mut Random, at_most: usize) -> Self {
        let request = |random: &mut Random| {
            let at = usize::try_from(random.next() % tokens.texts.len() as u64).unwrap_or_default();
            let token = std::str::from_utf8(&tokens.texts[at]).expect("tokens are ASCII");
            request(&format!("Bearer {token}"))
        };
        Self { requests: (0..at_most.min(BATCH)).map(|_| request(random)).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns the same number of requests with this credential instead.
    pub(crate) fn with_authorization(&self, value: &HeaderValue) -> Self {
        let mut same = self.clone();
        for request in &mut same.requests {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        }
        same
    }
}

fn request(authorization: &str) -> Request<()> {
    let mut request = Request::new(());
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("benchmark/1.0"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(authorization).expect("a header value"));
    request
}

/// SplitMix64, so that every run uses the same tokens.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn token(&mut self) -> AccessToken {
        let mut bytes = [0; 32];
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&self.next().to_be_bytes());
        }
        AccessToken::from_random(&bytes)
    }
}
