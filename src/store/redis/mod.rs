//! A store that several gateways share: Redis or Valkey, one server, sentinels or a cluster.
//!
//! Each token has one key. Revoking the token writes a tombstone under that key and appends an entry to a
//! log. Each gateway holds the tokens in memory that it has issued or queried. It reads the log every 25 ms,
//! and when the engine notifies it of a change (client-side tracking of the log's key). The notification only
//! makes a revocation faster: if it is lost, the next read finds the entry within 25 ms.
//!
//! The tokens in memory are trusted until one *lease* after the last completed read was sent. A revocation is
//! confirmed one lease after it was carried out. So no gateway accepts the token after the confirmation: a
//! gateway has either read the entry, or has no lease and queries the engine, which has the tombstone.

mod additions;
mod ask;
mod client_table;
mod clients;
mod connect;
mod ended_clients;
mod entry;
mod error;
mod flights;
mod identity;
mod keys;
mod known_clients;
mod lease;
mod looks;
mod recent;
#[cfg(feature = "gateway")]
mod registered;
mod registrations;
mod replay;
mod revoke;
mod scripts;
mod shared;
mod stats;
#[cfg(feature = "gateway")]
mod survey;
mod tombstones;
mod worker;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

#[cfg(feature = "gateway")]
pub(crate) use self::registered::registered_rows;
pub use self::stats::SharedStoreStatus;
#[cfg(feature = "gateway")]
pub(crate) use self::survey::{Survey, survey};
use crate::clock::{Clock, Millis};
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Grant, Record};
use crate::oauth::token::TokenDigest;
use crate::store::engine::RedisOptions;
use crate::store::journal::{Journal, JournalError};
use crate::store::lasting::Lasting;
use crate::store::redis::connect::PATIENCE;
use crate::store::redis::shared::{Shared, lock};
use crate::store::stored::StoredGrant;
use crate::store::token_store::{Admits, ClientTable, Found, Health, Pending, StoreError, TokenStore, Use};
use crate::store::used_name::UsedName;
use crate::tasks;
use crate::threads;

/// A store that several gateways share.
///
/// Tokens, ended epochs and used names are in the engine: Redis 7.0 or Valkey 7.2, or later. Each process
/// holds the tokens in memory that it has issued or queried.
///
/// - *A token that was revoked* is accepted by no gateway once [`TokenStore::revoke`] has succeeded, which
///   takes one [lease](RedisOptions::lease).
/// - *A process that is cut off* from the engine answers from memory for at most one lease, or for
///   [`RedisOptions::allow_cached`]. After that it cannot answer, which results in 503.
/// - *An engine that has lost something* (a failover, a restart) gets it again from the processes that know
///   it: revoked tokens until their expiry, epochs, and the tokens that were issued in the last 30 seconds.
/// - *The lifetime of a token* is measured by the engine alone, and never exceeds that of its grant.
///
/// ```no_run
/// use std::sync::Arc;
/// use tollgate::clock::SystemClock;
/// use tollgate::store::{EngineAddress, Journal, RedisOptions, RedisStore};
/// use tollgate::{ClientSpec, Gate, GateSpec};
///
/// let clock = Arc::new(SystemClock::new());
/// // Revocations that the engine could not carry out survive a restart here.
/// let journal = Journal::open("/var/lib/orders".as_ref(), 1_000, clock.clone())?;
/// let address = EngineAddress::Tcp { host: "redis.example.com".into(), port: 6379 };
/// let store = RedisStore::open(RedisOptions::single(address), 1_000_000, clock.clone(), Some(Arc::new(journal)))?;
/// let client = ClientSpec::with_id("server")?.scopes("read")?;
/// let gate = Gate::builder(GateSpec::default().client(client)).clock(clock).store(Arc::new(store)).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisStore {
    shared: Arc<Shared>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RedisStore {
    /// Starts the thread that communicates with the engine, and returns at once. The store is unavailable
    /// until the engine responds.
    ///
    /// `clock` must be the clock of the gate, and at most `max_tokens` tokens are held in memory. `journal`
    /// records revocations; it must use the same clock.
    ///
    /// # Errors
    /// A [`JournalError`] if the journal cannot be read, or if the operating system starts no thread.
    pub fn open(
        mut options: RedisOptions,
        max_tokens: usize,
        clock: Arc<dyn Clock>,
        journal: Option<Arc<Journal>>,
    ) -> Result<Self, JournalError> {
        let mut random = [0; 4];
        // Two gateways with the same name would be counted as one.
        let _ = getrandom::fill(&mut random);
        options.name = format!("{}-{:08x}", options.name, u32::from_be_bytes(random));
        let revoked = journal.as_ref().map(|journal| journal.revoked()).transpose()?.unwrap_or_default();
        let (additions, jobs) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(options, max_tokens, clock, journal, additions));
        for (token, until) in revoked {
            shared.tombstones.add(token, until);
            shared.tombstones.is_lacking(token);
        }
        let thread_error = |error| JournalError::Io("the thread of the shared store".into(), error);
        let runtime = tasks::runtime().map_err(thread_error)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let state = Arc::clone(&shared);
        let thread = threads::spawn("tollgate-store", move || {
            tasks::block_on(&runtime, async {
                tasks::spawn(additions::run(Arc::clone(&state), jobs));
                tasks::spawn(clients::run(Arc::clone(&state)));
                tasks::spawn(ended_clients::run(Arc::clone(&state)));
                tasks::spawn(worker::run(state));
                let _ = stopped.await;
            });
        });
        let thread = thread.map_err(thread_error)?;
        Ok(Self { shared, runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Sets the digest of this gateway's clients, which other gateways compare with theirs.
    pub fn set_client_set(&self, digest: u64) {
        *lock(&self.shared.client_set) = format!("{digest:016x}");
    }

    /// Returns what the store reports about itself.
    #[must_use]
    pub fn status(&self) -> SharedStoreStatus {
        let shared = &self.shared;
        let stats = &shared.stats;
        SharedStoreStatus {
            connected: self.is_connected(),
            lease_age: shared.lease.age(),
            entries_behind: stats.behind.get(),
            round_trip: Duration::from_micros(stats.round_trip.get()),
            reads: stats.reads.get(),
            misses_known: stats.known.get(),
            misses_unknown: stats.unknown.get(),
            misses_unanswered: stats.unanswered.get(),
            tombstones: shared.tombstones.len(),
            cleared: stats.cleared.get(),
            unconfirmed: stats.unconfirmed.get(),
            gateways: lock(&shared.gateways).len() + 1,
            differing_gateways: usize::try_from(stats.differing.get()).unwrap_or(usize::MAX),
        }
    }

    fn is_connected(&self) -> bool {
        self.shared.link.borrow().is_some()
    }

    /// Starts an operation. The operation continues even if the caller stops waiting for it.
    fn begin<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Pending<'static, Result<T, StoreError>> {
        let (done, outcome) = oneshot::channel();
        self.runtime.spawn(tasks::task(async move {
            let _ = done.send(operation.await);
        }));
        // The sender is dropped if the store ends.
        Pending::Wait(Box::pin(async move { outcome.await.unwrap_or(Err(StoreError::Unavailable)) }))
    }
}

impl TokenStore for RedisStore {
    fn find(&self, token: &TokenDigest) -> Found {
        if !self.shared.lease.is_held() {
            return Found::Ask;
        }
        match self.shared.memory.find(token) {
            Found::Unknown => Found::Ask,
            found => found,
        }
    }

    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Found<()> {
        if !self.shared.lease.is_held() {
            return Found::Ask;
        }
        match self.shared.memory.look(token, look) {
            Found::Unknown => Found::Ask,
            found => found,
        }
    }

    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        ask::ask(&self.shared, &self.runtime, token)
    }

    fn recall(&self, token: &TokenDigest) -> Option<Record> {
        self.shared.memory.find(token).known()
    }

    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
        let shared = Arc::clone(&self.shared);
        if let Err(full) = shared.memory.keep(token, record.clone()) {
            return Pending::Ready(Err(full));
        }
        shared.expires_at(record.expires());
        self.begin(async move {
            let value = entry::token(&StoredGrant::of(record.grant()));
            let command = replay::keep(&shared, &token, &value, shared.left(record.expires()));
            let kept = tokio::time::timeout(PATIENCE, shared.query::<Option<String>>(&command)).await;
            match kept.unwrap_or(Err(StoreError::Unavailable)) {
                Ok(Some(_)) => {
                    shared.recent.add(shared.clock.now(), token, record);
                    Ok(())
                }
                // The key already has a value.
                Ok(None) | Err(_) => {
                    shared.memory.remove(&token);
                    Err(StoreError::Unavailable)
                }
            }
        })
    }

    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        let here = revoke::refuse_here(&self.shared, &token);
        self.begin(revoke::revoke(Arc::clone(&self.shared), token, here))
    }

    fn confirm_revoked(&self, token: TokenDigest) -> Pending<'_, Result<(), StoreError>> {
        self.begin(revoke::confirm(Arc::clone(&self.shared), token))
    }

    fn end_epoch(&self, client: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
        let remembered = revoke::remember_end(&self.shared, client, epoch);
        self.begin(revoke::end_epoch(Arc::clone(&self.shared), client.clone(), epoch, remembered))
    }

    fn use_once(&self, name: UsedName, keep: Duration) -> Pending<'_, Result<Use, StoreError>> {
        let shared = Arc::clone(&self.shared);
        self.begin(async move {
            let mut command = redis::cmd("SET");
            let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, u64::from(u32::MAX));
            command.arg(shared.keys.used(name)).arg(1).arg("NX").arg("PX").arg(keep);
            let used = tokio::time::timeout(PATIENCE, shared.query::<Option<String>>(&command)).await;
            match used.unwrap_or(Err(StoreError::Unavailable))? {
                Some(_) => Ok(Use::First),
                None => Ok(Use::Again),
            }
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn client_table(&self) -> Option<&dyn ClientTable> {
        Some(self)
    }

    fn lasting(&self) -> Option<&dyn Lasting> {
        // Nothing is remembered without a journal.
        self.shared.journal.is_some().then_some(self as &dyn Lasting)
    }

    fn admit_with(&self, admits: Admits) {
        // The store belongs to the first gate.
        let _ = self.shared.admits.set(admits);
    }

    fn client(&self, id: &ClientId) -> Arc<ClientState> {
        self.shared.interner().client(id)
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        self.shared.tombstones.sweep(now, at_most);
        self.shared.recent.sweep(now);
        let more = self.shared.memory.sweep(now, at_most, forgotten);
        // The journal may contain tokens from a time in which it was the only store of this gateway.
        let journal = self.shared.journal.as_ref();
        journal.is_some_and(|journal| journal.sweep(now, at_most, forgotten)) || more
    }

    fn len(&self) -> usize {
        self.shared.memory.len()
    }

    fn health(&self) -> Health {
        match (self.is_connected(), self.shared.lease.is_held()) {
            (true, true) => Health::Good,
            (false, true) => Health::ReadOnly,
            (_, false) => Health::Unavailable,
        }
    }
}

impl Lasting for RedisStore {
    /// Returns none: the tokens are in the engine. Each is compared with the settings of the gate when it is
    /// found.
    fn grants(&self) -> Vec<Arc<Grant>> {
        Vec::new()
    }

    fn registrations(&self) -> HashMap<ClientId, Vec<u8>> {
        self.shared.journal.as_ref().map(|journal| journal.registrations()).unwrap_or_default()
    }

    fn register(&self, client: &ClientId, registration: Option<Vec<u8>>) {
        if let Some(journal) = &self.shared.journal {
            self.shared.registrations.register(client, registration, journal);
        }
    }

    fn restrict(&self, _: &[Arc<Grant>]) {}
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("tokens", &self.shared.memory.len()).finish_non_exhaustive()
    }
}
