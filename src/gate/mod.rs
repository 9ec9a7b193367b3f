//! The use case: authenticate a client, issue a token, authorise a request, revoke.
//!
//! Joins the pure protocol of [`crate::oauth`] with a store, a clock and the hashing threads.

mod authenticate;
mod direct;
mod endpoints;
#[cfg(feature = "gateway")]
mod fetch;
mod hashing;
#[cfg(feature = "jose")]
mod keys;
mod offer;
#[cfg(feature = "jose")]
mod possession;
mod secret_hash;
mod settings;
mod spec;
mod throttle;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;

pub use authenticate::Origin;
pub use endpoints::{Endpoint, FormBody};
#[cfg(feature = "gateway")]
pub(crate) use endpoints::{Success, Told};
#[cfg(feature = "jose")]
pub use keys::{KeySource, RemoteKeys};
pub use secret_hash::{SecretHash, SecretHashError};
pub use settings::{ClientSpec, GateSpec, SecretSpec, SecretUsage};
pub use spec::SpecError;
pub use throttle::ThrottlePolicy;

use crate::clock::{Clock, SystemClock};
use crate::oauth::bearer::{self, Scheme};
use crate::oauth::decide::{self, Permit, Possession};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::Evidence;
use crate::oauth::grant::Record;
use crate::oauth::scope::{Demand, Requirement};
use crate::oauth::token::TokenDigest;
use crate::store::{MemoryStore, TokenStore};
use hashing::HashingPool;
use settings::Settings;
use throttle::Throttle;

/// Jobs that may wait for a hashing thread, each. At some 30 ms a hash, a full queue is a wait of a second.
const QUEUE_PER_THREAD: usize = 32;
/// How often expired tokens are swept.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// Tokens forgotten in one go before the sweeper lets others run.
const SWEEP_SLICE: usize = 256;

/// Issues tokens and checks them. Cheap to clone; all clones are one gate.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ArcSwap<Settings>,
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    hashing: HashingPool,
    throttle: Throttle,
    process_key: [u8; 32],
    #[cfg(feature = "jose")]
    replays: possession::Replays,
    /// Calls whoever fetches keys.
    #[cfg(feature = "jose")]
    key_call: Arc<tokio::sync::Notify>,
}

/// Why a gate could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum GateError {
    /// The operating system starts no thread.
    Threads(std::io::Error),
    /// The operating system gives no randomness.
    Randomness(getrandom::Error),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(error) => write!(f, "cannot start the threads of the gate: {error}"),
            Self::Randomness(error) => write!(f, "no randomness for tokens: {error}"),
        }
    }
}

impl std::error::Error for GateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Threads(error) => Some(error),
            Self::Randomness(error) => Some(error),
        }
    }
}

/// Makes a [`Gate`].
pub struct GateBuilder {
    spec: GateSpec,
    store: Option<Arc<dyn TokenStore>>,
    clock: Option<Arc<dyn Clock>>,
    max_tokens: usize,
    hashing_threads: usize,
}

impl GateBuilder {
    /// Keeps tokens elsewhere than in a [`MemoryStore`].
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Reads the time elsewhere than from the operating system.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Live tokens in all, at most; 10,000,000 unless set. Has no effect on a store of one's own.
    #[must_use]
    pub fn max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Threads that verify secrets; one per core unless set.
    #[must_use]
    pub fn hashing_threads(mut self, threads: usize) -> Self {
        self.hashing_threads = threads.max(1);
        self
    }

    /// Makes the gate and starts its threads, which end with its last clone.
    ///
    /// # Errors
    /// [`GateError`] where the operating system gives no thread or no randomness.
    pub fn build(self) -> Result<Gate, GateError> {
        let mut process_key = [0; 32];
        getrandom::fill(&mut process_key).map_err(GateError::Randomness)?;
        let threads = self.hashing_threads;
        let inner = Arc::new(Inner {
            settings: ArcSwap::from_pointee(Settings::new(self.spec, None)),
            store: self.store.unwrap_or_else(|| Arc::new(MemoryStore::new(self.max_tokens))),
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            hashing: HashingPool::start(threads, threads * QUEUE_PER_THREAD).map_err(GateError::Threads)?,
            throttle: Throttle::default(),
            process_key,
            #[cfg(feature = "jose")]
            replays: possession::Replays::new().map_err(GateError::Randomness)?,
            #[cfg(feature = "jose")]
            key_call: Arc::default(),
        });
        let weak = Arc::downgrade(&inner);
        std::thread::Builder::new()
            .name("tollgate-sweep".to_owned())
            .spawn(move || keep_swept(&weak))
            .map_err(GateError::Threads)?;
        Ok(Gate { inner })
    }
}

impl Gate {
    /// Starts from settings: a [`GateSpec`], or what one can be made of.
    #[must_use]
    pub fn builder(spec: impl Into<GateSpec>) -> GateBuilder {
        let hashing_threads = std::thread::available_parallelism().map_or(1, usize::from);
        GateBuilder { spec: spec.into(), store: None, clock: None, max_tokens: 10_000_000, hashing_threads }
    }

    /// Swaps the settings for others, atomically and under traffic: a request is decided by the old ones or by the new. Tokens stay, save those of clients that are now disabled or
    /// gone; so does what is known of secrets that stay.
    pub fn reload(&self, spec: impl Into<GateSpec>) {
        let before = self.inner.settings.load_full();
        let after = Arc::new(Settings::new(spec.into(), Some(&before)));
        // First the swap, then the end of tokens: the other way round, a request in between could still get
        // a token of the new epoch from the old settings.
        self.inner.settings.store(Arc::clone(&after));
        after.revoke_departed(&before);
        #[cfg(feature = "jose")]
        self.inner.key_call.notify_one();
    }

    /// Authorises a request by its headers alone: a token that is bound to a key or to a certificate is refused.
    ///
    /// # Errors
    /// A [`Denial`], to be answered by [`Gate::refuse`].
    pub fn authorize(&self, headers: &HeaderMap, requirement: &Requirement) -> Result<Permit, Denial> {
        self.judge(headers, requirement, None, &Evidence::default())
    }

    /// Authorises a request by its headers and by what else it shows, for all that a route demands.
    ///
    /// # Errors
    /// A [`Denial`], to be answered by [`Gate::refuse`].
    pub fn authorize_with(
        &self,
        headers: &HeaderMap,
        demand: &Demand,
        evidence: &Evidence<'_>,
    ) -> Result<Permit, Denial> {
        self.judge(headers, &demand.requirement, demand.audience.as_deref(), evidence)
    }

    fn judge(
        &self,
        headers: &HeaderMap,
        requirement: &Requirement,
        audience: Option<&str>,
        evidence: &Evidence<'_>,
    ) -> Result<Permit, Denial> {
        let presented = bearer::presented(headers)?;
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        match presented.scheme {
            Scheme::Bearer => {
                let (digest, record) = self.look_up(presented.token)?;
                let held = Possession { certificate, key: None };
                decide::decide(record, digest, requirement, audience, held, self.inner.clock.now())
            }
            #[cfg(feature = "jose")]
            Scheme::Dpop => self.judge_dpop(presented, headers, requirement, audience, evidence),
            #[cfg(not(feature = "jose"))]
            Scheme::Dpop => Err(Denial::Missing),
        }
    }

    /// What the store has of a token as presented.
    fn look_up(&self, token: &[u8]) -> Result<(TokenDigest, Option<Record>), Denial> {
        let digest = TokenDigest::of_presented(token).ok_or(Denial::InvalidToken)?;
        let record = self.inner.store.find(&digest).map_err(|_| Denial::Unavailable)?;
        Ok((digest, record))
    }

    /// The answer to a request that was denied.
    #[must_use]
    pub fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        denial.to_response(&self.settings().challenge)
    }

    /// Whether the token behind a permit is still good: what a stream asks from time to time.
    #[must_use]
    pub fn still_permits(&self, permit: &Permit) -> bool {
        let Some(digest) = permit.digest() else { return true };
        // A store that cannot answer fails closed here as everywhere.
        let record = self.inner.store.find(digest).ok().flatten();
        record.is_some_and(|record| record.is_live(self.inner.clock.now()))
    }

    /// Revokes all tokens of a client at once; whether there is such a client.
    pub fn revoke_all(&self, client_id: &str) -> bool {
        let settings = self.settings();
        let Some(client) = settings.clients.get(client_id) else { return false };
        client.state.revoke_all();
        true
    }

    /// What has been seen of a client's secrets, by secret id; empty for an unknown client.
    #[must_use]
    pub fn secret_usage(&self, client_id: &str) -> Vec<(String, SecretUsage)> {
        let settings = self.settings();
        let secrets = settings.clients.get(client_id).into_iter().flat_map(|client| &client.secrets);
        let usage = |secret: &Arc<settings::ClientSecret>| {
            *secret.usage.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        secrets.map(|secret| (secret.id.clone(), usage(secret))).collect()
    }

    /// Tokens kept, expired ones that are not yet swept included.
    #[must_use]
    pub fn tokens_kept(&self) -> usize {
        self.inner.store.len()
    }

    /// How many tokens are good: not those that were revoked with all of their client's. For one who looks now and
    /// then: it looks at every client.
    #[cfg(feature = "gateway")]
    pub(crate) fn tokens_live(&self) -> u64 {
        self.settings().clients.values().map(|client| client.state.live_tokens()).sum()
    }

    /// How many secrets wait for a hashing thread.
    #[cfg(feature = "gateway")]
    pub(crate) fn hashing_queue(&self) -> usize {
        self.inner.hashing.waiting()
    }

    /// The clock that lifetimes are measured on.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Whether clients reach this gate over TLS, as its issuer says.
    pub(crate) fn is_public_by_https(&self) -> bool {
        let settings = self.settings();
        settings.issuer.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    fn settings(&self) -> Guard<Arc<Settings>> {
        self.inner.settings.load()
    }

    /// The same for longer than a moment, over an await.
    fn settings_full(&self) -> Arc<Settings> {
        self.inner.settings.load_full()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("tokens_kept", &self.tokens_kept()).finish_non_exhaustive()
    }
}

/// Forgets expired tokens for as long as there is a gate.
fn keep_swept(gate: &Weak<Inner>) {
    let _ = rustix::process::nice(10);
    while let Some(inner) = gate.upgrade() {
        let more =
            inner.store.sweep(inner.clock.now(), SWEEP_SLICE, &mut |record| endpoints::release(&record));
        drop(inner);
        if more {
            std::thread::yield_now();
        } else {
            std::thread::sleep(SWEEP_EVERY);
        }
    }
}

#[cfg(test)]
mod tests;
