//! Making a gate and starting its threads.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::{Clock, SystemClock};
use crate::gate::changed_clients::ChangedClients;
use crate::gate::deadline::Deadlines;
use crate::gate::defaults;
use crate::gate::endpoint_lengths::EndpointLengths;
use crate::gate::hashing::HashingPool;
use crate::gate::instance::{Gate, Inner};
#[cfg(feature = "gateway")]
use crate::gate::jwt::JwtSigner;
#[cfg(feature = "jose")]
use crate::gate::proof::ProofVerifier;
#[cfg(feature = "gateway")]
use crate::gate::register::registry::Registry;
use crate::gate::secret_digest::SecretDigester;
use crate::gate::settings::Settings;
use crate::gate::single_flight::SingleFlight;
use crate::gate::spec::GateSpec;
use crate::gate::throttle::Throttle;
#[cfg(feature = "jose")]
use crate::gate::used_once::UsedOnce;
use crate::oauth::grant::Record;
#[cfg(feature = "jose")]
use crate::oauth::replay::Capacity;
use crate::store::{MemoryStore, TokenStore};
use crate::threads;

/// The interval at which expired tokens are swept.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// The number of tokens that the sweeper removes before it lets other threads run.
const SWEEP_SLICE: usize = 256;
/// The maximum number of client assertions that are remembered. One client can have a quarter of them.
#[cfg(feature = "jose")]
const ASSERTIONS: Capacity = Capacity { total: 262_144 };

/// The error when a gate cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum GateError {
    /// The operating system starts no thread.
    Threads(std::io::Error),
    /// The operating system provides no randomness.
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

/// Configures and makes a [`Gate`].
pub struct GateBuilder {
    spec: GateSpec,
    store: Option<Arc<dyn TokenStore>>,
    clock: Option<Arc<dyn Clock>>,
    max_tokens: usize,
    hashing_threads: usize,
}

impl Gate {
    /// Starts building a gate from a [`GateSpec`], or from anything that converts into one.
    #[must_use]
    pub fn builder(spec: impl Into<GateSpec>) -> GateBuilder {
        let hashing_threads = std::thread::available_parallelism().map_or(1, usize::from);
        let max_tokens = usize::try_from(defaults::MAX_TOKENS).unwrap_or(usize::MAX);
        GateBuilder { spec: spec.into(), store: None, clock: None, max_tokens, hashing_threads }
    }
}

impl GateBuilder {
    /// Sets the store that keeps the tokens. The default is a [`MemoryStore`].
    ///
    /// A store may have tokens from before a restart. What has changed since then for their clients ends or
    /// narrows them, as [`Gate::reload`] does: the tokens of a client that the [`GateSpec`] does not have
    /// end.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
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

    /// Sets the clock. The default is the operating system's.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use tollgate::clock::ManualClock;
    /// use tollgate::{Gate, GateSpec};
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

    /// Sets how many live tokens there may be in all. The default is 10,000,000. A store set by
    /// [`GateBuilder::store`] has its own limit and ignores this one.
    ///
    /// ```
    /// # use tollgate::{ClientSpec, Gate, GateSpec};
    /// let client = ClientSpec::with_id("server")?.scopes("read")?;
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).max_tokens(1).build()?;
    /// gate.issue_to("server", "read")?;
    /// assert_eq!(gate.issue_to("server", "read").unwrap_err().status(), 503);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Sets how many threads verify secrets. The default is one per core.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// // One is enough in tests.
    /// let gate = Gate::builder(GateSpec::default()).hashing_threads(1).build()?;
    /// # drop(gate);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn hashing_threads(mut self, threads: usize) -> Self {
        self.hashing_threads = threads.max(1);
        self
    }

    /// Makes the gate and starts its threads. They end when the last clone of the gate is dropped.
    ///
    /// # Errors
    /// [`GateError`] if the operating system provides no thread or no randomness.
    pub fn build(self) -> Result<Gate, GateError> {
        let hashing = HashingPool::start(self.hashing_threads).map_err(GateError::Threads)?;
        let gate = self.assemble(hashing)?;
        let weak = Arc::downgrade(&gate.inner);
        threads::spawn("tollgate-sweep", move || keep_swept(&weak)).map_err(GateError::Threads)?;
        Ok(gate)
    }

    /// Makes a gate without threads. It issues and checks tokens, verifies no secrets, and sweeps nothing.
    ///
    /// # Errors
    /// [`GateError`] if the operating system provides no randomness.
    #[cfg(feature = "gateway")]
    pub(crate) fn build_without_threads(self) -> Result<Gate, GateError> {
        self.assemble(HashingPool::without_threads())
    }

    fn assemble(self, hashing: HashingPool) -> Result<Gate, GateError> {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new(self.max_tokens)));
        #[cfg_attr(not(feature = "gateway"), expect(unused_mut))]
        let mut spec = self.spec;
        #[cfg(feature = "gateway")]
        let registry = Registry::of(&*store);
        #[cfg(feature = "gateway")]
        registry.add_to(&mut spec);
        let settings = Settings::new(spec, None, clock.unix_time(), &*store);
        let endpoint_lengths = EndpointLengths::default();
        endpoint_lengths.add(&settings);
        let inner = Arc::new(Inner {
            settings: ArcSwap::from_pointee(settings),
            endpoint_lengths,
            store,
            hashing,
            throttle: Throttle::default(),
            deadlines: Deadlines::default(),
            single_flight: SingleFlight::default(),
            changed_clients: ChangedClients::default(),
            #[cfg(feature = "gateway")]
            registry,
            secret_digester: SecretDigester::new().map_err(GateError::Randomness)?,
            #[cfg(feature = "gateway")]
            jwt: JwtSigner::default(),
            #[cfg(feature = "jose")]
            assertions: UsedOnce::new(ASSERTIONS, &*clock).map_err(GateError::Randomness)?,
            #[cfg(feature = "jose")]
            proofs: ProofVerifier::new(&*clock).map_err(GateError::Randomness)?,
            #[cfg(feature = "jose")]
            key_call: Arc::default(),
            clock,
        });
        let gate = Gate { inner };
        gate.watch_found_grants();
        #[cfg(feature = "gateway")]
        gate.watch_registered();
        gate.adopt_kept_tokens();
        if gate.inner.store.is_shared() {
            let weak = Arc::downgrade(&gate.inner);
            let admits =
                move |record: &Record| weak.upgrade().is_some_and(|inner| Gate { inner }.admits(record));
            gate.inner.store.admit_with(Box::new(admits));
        }
        Ok(gate)
    }
}

/// Forgets expired tokens and wakes the tasks whose deadline is over, until the gate is dropped.
fn keep_swept(gate: &Weak<Inner>) {
    let _ = rustix::process::nice(10);
    while let Some(inner) = gate.upgrade() {
        let now = inner.clock.now();
        inner.deadlines.wake_due(now);
        let more = inner.store.sweep(now, SWEEP_SLICE, &mut |record| record.release());
        drop(inner);
        if more {
            std::thread::yield_now();
        } else {
            std::thread::sleep(SWEEP_EVERY);
        }
    }
}
