//! The use case: authenticate a client, issue a token, authorise a request, revoke.
//!
//! Joins the pure protocol of [`crate::oauth`] with a store, a clock and the hashing threads.

mod authenticate;
mod client_secret;
mod deadline;
pub(crate) mod defaults;
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
mod under_way;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;

pub use authenticate::Origin;
pub use client_secret::{SecretUsage, SeenSecret};
pub use endpoints::{Endpoint, FormBody};
#[cfg(feature = "gateway")]
pub(crate) use endpoints::{Success, Told};
#[cfg(feature = "jose")]
pub use keys::{KeySource, RemoteKeys};
pub use secret_hash::{SecretHash, SecretHashError};
pub use settings::{ClientSpec, GateSpec, SecretSpec};
pub use spec::SpecError;
pub use throttle::ThrottlePolicy;

use crate::clock::{Clock, SystemClock};
use crate::oauth::bearer::{self, Presented, Scheme};
use crate::oauth::decide::{self, Permit, Possession};
#[cfg(feature = "gateway")]
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::{Credentials, Evidence, Target};
use crate::oauth::scope::{Demand, Requirement};
use crate::oauth::token::TokenDigest;
use crate::store::{MemoryStore, TokenStore};
use deadline::Deadlines;
use hashing::HashingPool;
use settings::Settings;
use throttle::Throttle;
use under_way::UnderWay;

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
    deadlines: Deadlines,
    under_way: UnderWay,
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
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use std::sync::Arc;
    /// use tollgate::store::MemoryStore;
    ///
    /// let gate = Gate::builder(GateSpec::default()).store(Arc::new(MemoryStore::new(1_000))).build()?;
    /// assert_eq!(gate.tokens_kept(), 0);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Reads the time elsewhere than from the operating system.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use tollgate::clock::ManualClock;
    /// use tollgate::gate::{Gate, GateSpec};
    ///
    /// let clock = Arc::new(ManualClock::new(Duration::from_secs(1_800_000_000)));
    /// let gate = Gate::builder(GateSpec::default()).clock(clock.clone()).build()?;
    /// clock.advance(Duration::from_secs(299));
    /// assert_eq!(gate.clock().now().as_u64(), 299_000);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Live tokens in all, at most; 10,000,000 unless set. Has no effect on a store of one's own.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).max_tokens(1).build()?;
    /// gate.issue_to("server", ["read"])?;
    /// assert_eq!(gate.issue_to("server", ["read"]).unwrap_err().status(), 503);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Threads that verify secrets; one per core unless set.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// // Tests need no more.
    /// let gate = Gate::builder(GateSpec::default()).hashing_threads(1).build()?;
    /// # drop(gate);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
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
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let inner = Arc::new(Inner {
            settings: ArcSwap::from_pointee(Settings::new(self.spec, None, clock.unix_time())),
            store: self.store.unwrap_or_else(|| Arc::new(MemoryStore::new(self.max_tokens))),
            clock,
            hashing: HashingPool::start(threads, threads * QUEUE_PER_THREAD).map_err(GateError::Threads)?,
            throttle: Throttle::default(),
            deadlines: Deadlines::default(),
            under_way: UnderWay::default(),
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
        let max_tokens = usize::try_from(defaults::MAX_TOKENS).unwrap_or(usize::MAX);
        GateBuilder { spec: spec.into(), store: None, clock: None, max_tokens, hashing_threads }
    }

    /// Swaps the settings for others, atomically and under traffic: a request is decided by the old ones or by the new. Tokens stay, save those of clients that are now disabled or
    /// gone; so does what is known of secrets that stay.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// let token = gate.issue_to("server", ["read"])?;
    /// assert_eq!(gate.tokens_kept(), 1);
    /// // Without its client it is good for nothing, from the next request on.
    /// gate.reload(GateSpec::new("https://api.example.com"));
    /// assert!(gate.issue_to("server", ["read"]).is_err());
    /// # drop(token);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reload(&self, spec: impl Into<GateSpec>) {
        let before = self.inner.settings.load_full();
        let after = Arc::new(Settings::new(spec.into(), Some(&before), self.inner.clock.unix_time()));
        // First the swap, then the end of tokens: the other way round, a request in between could still get
        // a token of the new epoch from the old settings.
        self.inner.settings.store(Arc::clone(&after));
        after.revoke_departed(&before);
        #[cfg(feature = "jose")]
        self.inner.key_call.notify_one();
    }

    /// Authorises a request by its headers alone: a token that is bound to a key or to a certificate is refused.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    /// use tollgate::oauth::scope::Requirement;
    ///
    /// let mut headers = HeaderMap::new();
    /// let read = Requirement::all(["read"])?;
    /// assert_eq!(gate.authorize(&headers, &read).unwrap_err().status(), 401);
    /// let bearer = format!("Bearer {}", gate.issue_to("server", ["read"])?.expose());
    /// headers.insert(AUTHORIZATION, bearer.parse()?);
    /// assert_eq!(gate.authorize(&headers, &read)?.client_id(), Some("server"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Denial`], to be answered by [`Gate::refuse`].
    pub fn authorize(&self, headers: &HeaderMap, requirement: &Requirement) -> Result<Permit, Denial> {
        self.judge(headers, requirement, None, None, || None)
    }

    /// Authorises a request by its headers and by what else it shows, for all that a route demands.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    /// use tollgate::oauth::scope::{Demand, Requirement};
    /// use tollgate::oauth::evidence::Evidence;
    ///
    /// let demand = Demand::from(Requirement::AnyToken).for_audience("https://orders.example.com");
    /// let bearer = format!("Bearer {}", gate.issue_to("server", ["read"])?.expose());
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
    /// let denial = gate.authorize_with(&headers, &demand, &Evidence::default()).unwrap_err();
    /// assert_eq!(denial.code(), Some("invalid_token"), "a token for no resource in particular");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Denial`], to be answered by [`Gate::refuse`].
    pub fn authorize_with(
        &self,
        headers: &HeaderMap,
        demand: &Demand,
        evidence: &Evidence<'_>,
    ) -> Result<Permit, Denial> {
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        self.judge(headers, &demand.requirement, demand.audience.as_deref(), certificate, || evidence.target)
    }

    /// The same; the target is asked for only where a proof has to name it.
    #[inline]
    pub(crate) fn judge<'a>(
        &self,
        headers: &impl Credentials,
        requirement: &Requirement,
        audience: Option<&str>,
        certificate: Option<&[u8; 32]>,
        target: impl FnOnce() -> Option<Target<'a>>,
    ) -> Result<Permit, Denial> {
        let presented = bearer::only(headers.authorization())?;
        if presented.scheme == Scheme::Bearer {
            return self.judge_bearer(presented, requirement, audience, certificate);
        }
        #[cfg(feature = "jose")]
        return self.judge_dpop(presented, headers, requirement, audience, certificate, target());
        #[cfg(not(feature = "jose"))]
        {
            let _ = target;
            presented.check_syntax()?;
            Err(Denial::Missing)
        }
    }

    /// Authorises a request as [`Self::authorize_with`] does, without taking the token's record out of the store: who
    /// the client is is copied into `identity`, and nothing is written that other threads write too.
    #[cfg(feature = "gateway")]
    pub(crate) fn lease(
        &self,
        credentials: &impl Credentials,
        demand: &Demand,
        evidence: &Evidence<'_>,
        identity: &mut Identity,
    ) -> Result<Lease, Denial> {
        let certificate = evidence.certificate.map(|certificate| certificate.sha256);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        let presented = bearer::only(credentials.authorization())?;
        if presented.scheme != Scheme::Bearer {
            let permit = self.judge(credentials, requirement, audience, certificate, || evidence.target)?;
            return Ok(Lease::of_permit(permit, identity));
        }
        let Some(digest) = TokenDigest::of_presented(presented.token) else {
            return Err(unknown(presented));
        };
        let now = self.inner.clock.now();
        let held = Possession { certificate, key: None };
        let mut decided = Err(Denial::InvalidToken);
        let found = self.inner.store.look(&digest, &mut |record| {
            decided = Lease::decide(record, digest, (requirement, audience), held, now, identity);
        });
        match found {
            Ok(true) => decided,
            Ok(false) => Err(unknown(presented)),
            Err(_) => Err(Denial::Unavailable),
        }
    }

    /// Whether the token behind a lease is still good: see [`Self::still_permits`].
    #[cfg(feature = "gateway")]
    pub(crate) fn still_leases(&self, lease: &Lease) -> bool {
        let Some(digest) = lease.digest() else { return true };
        let (now, mut live) = (self.inner.clock.now(), false);
        let found = self.inner.store.look(digest, &mut |record| live = record.is_live(now));
        found.is_ok() && live
    }

    fn judge_bearer(
        &self,
        presented: Presented<'_>,
        requirement: &Requirement,
        audience: Option<&str>,
        certificate: Option<&[u8; 32]>,
    ) -> Result<Permit, Denial> {
        let Some(digest) = TokenDigest::of_presented(presented.token) else {
            return Err(unknown(presented));
        };
        match self.inner.store.find(&digest) {
            Ok(Some(record)) => {
                let held = Possession { certificate, key: None };
                decide::decide(Some(record), digest, requirement, audience, held, self.inner.clock.now())
            }
            Ok(None) => Err(unknown(presented)),
            Err(_) => Err(Denial::Unavailable),
        }
    }

    /// The answer to a request that was denied.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use tollgate::oauth::denial::Denial;
    ///
    /// let answer = gate.refuse(&Denial::Missing);
    /// assert_eq!(answer.status(), 401);
    /// assert!(answer.headers()["www-authenticate"].to_str()?.starts_with("Bearer realm=\"tollgate\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        denial.to_response(&self.settings().challenge)
    }

    /// Whether the token behind a permit is still good: what a stream asks from time to time.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// use http::{HeaderMap, header::AUTHORIZATION};
    /// use tollgate::oauth::scope::Requirement;
    ///
    /// let bearer = format!("Bearer {}", gate.issue_to("server", ["read"])?.expose());
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse()?)]);
    /// let permit = gate.authorize(&headers, &Requirement::AnyToken)?;
    /// assert!(gate.still_permits(&permit));
    /// gate.revoke_all("server");
    /// assert!(!gate.still_permits(&permit), "a stream that runs on it should end now");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn still_permits(&self, permit: &Permit) -> bool {
        let Some(digest) = permit.digest() else { return true };
        // A store that cannot answer fails closed here as everywhere.
        let record = self.inner.store.find(digest).ok().flatten();
        record.is_some_and(|record| record.is_live(self.inner.clock.now()))
    }

    /// Revokes all tokens of a client at once; whether there is such a client.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// # let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// # let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// assert!(gate.revoke_all("server"));
    /// assert!(!gate.revoke_all("nobody"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revoke_all(&self, client_id: &str) -> bool {
        let settings = self.settings();
        let Some(client) = settings.clients.get(client_id) else { return false };
        client.state.revoke_all();
        true
    }

    /// Tokens kept, expired ones that are not yet swept included.
    #[must_use]
    pub fn tokens_kept(&self) -> usize {
        self.inner.store.len()
    }

    /// The work done on trying secrets so far, in KiB of memory that argon2id filled, a pass each. Refusals of one
    /// kind take as much of it as those of another.
    #[must_use]
    pub fn hashing_work(&self) -> u64 {
        self.inner.hashing.work_done()
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

/// What is said of a credential that is none of the tokens there are.
#[cold]
fn unknown(presented: Presented<'_>) -> Denial {
    presented.check_syntax().err().unwrap_or(Denial::InvalidToken)
}

/// Forgets expired tokens, and wakes what waits for too long, for as long as there is a gate.
fn keep_swept(gate: &Weak<Inner>) {
    let _ = rustix::process::nice(10);
    while let Some(inner) = gate.upgrade() {
        let now = inner.clock.now();
        inner.deadlines.wake_due(now);
        let more = inner.store.sweep(now, SWEEP_SLICE, &mut |record| endpoints::release(&record));
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
