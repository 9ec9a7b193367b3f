//! The state that the threads that serve requests share with the thread that communicates with the engine.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::sync::{Notify, mpsc, watch};

use crate::clock::{Clock, Millis};
use crate::oauth::client::ClientId;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::engine::RedisOptions;
use crate::store::journal::Journal;
use crate::store::memory::MemoryStore;
use crate::store::redis::connect::{Data, Link};
use crate::store::redis::entry::Value;
use crate::store::redis::error::EngineError;
use crate::store::redis::flights::Flights;
use crate::store::redis::identity::Identity;
use crate::store::redis::keys::Keys;
use crate::store::redis::known_clients::KnownClients;
use crate::store::redis::lease::Lease;
use crate::store::redis::recent::Recent;
use crate::store::redis::registrations::Registrations;
use crate::store::redis::scripts::Job;
use crate::store::redis::stats::Stats;
use crate::store::redis::tombstones::Tombstones;
use crate::store::stored::Interner;
use crate::store::token_store::{Admits, Found, StoreError, TokenStore as _};

pub(super) struct Shared {
    pub(super) options: RedisOptions,
    pub(super) keys: Keys,
    /// The gate's clock.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease: Lease,
    /// The tokens that this gateway has issued or queried.
    pub(super) memory: MemoryStore,
    pub(super) tombstones: Tombstones,
    pub(super) recent: Recent,
    pub(super) journal: Option<Arc<Journal>>,
    own_interner: Interner,
    pub(super) flights: Flights,
    /// The connections to the engine, while it is connected.
    pub(super) link: watch::Sender<Option<Arc<Link>>>,
    /// Notified when a connection seems to be broken.
    pub(super) broken: Notify,
    pub(super) additions: mpsc::UnboundedSender<Job>,
    /// The generation of memory, which changes when memory is cleared. A response to a query of an earlier
    /// generation is not put into memory.
    pub(super) generation: AtomicU64,
    /// The clients whose epochs the engine may lack.
    pub(super) lacking_epochs: Mutex<HashSet<ClientId>>,
    pub(super) registrations: Registrations,
    /// The time at which the last token that this gateway knows expires.
    pub(super) last_expiry: AtomicU64,
    /// How many replicas the engine has.
    replicas: AtomicU32,
    /// Whether the engine refuses writes without replicas.
    is_fenced: AtomicBool,
    /// Whether a replica has confirmed the last additions to the log.
    confirmed: AtomicBool,
    /// The digest of this gateway's clients.
    pub(super) client_set: Mutex<String>,
    /// The other gateways, each with the time of its last read on the clock of the lease, and the digest of
    /// its clients.
    pub(super) gateways: Mutex<HashMap<String, (Millis, String)>>,
    pub(super) stats: Stats,
    /// The clients that have registered themselves.
    pub(super) clients: KnownClients,
    /// Whether this gate accepts a token that another gate has issued.
    pub(super) admits: OnceLock<Admits>,
}

impl Shared {
    pub(super) fn new(
        options: RedisOptions,
        max_tokens: usize,
        clock: Arc<dyn Clock>,
        journal: Option<Arc<Journal>>,
        additions: mpsc::UnboundedSender<Job>,
    ) -> Self {
        Self {
            keys: Keys::new(&options.prefix),
            lease: Lease::new(options.lease, options.allow_cached),
            options,
            clock,
            memory: MemoryStore::new(max_tokens),
            tombstones: Tombstones::new(max_tokens),
            recent: Recent::default(),
            journal,
            own_interner: Interner::default(),
            flights: Flights::default(),
            link: watch::Sender::new(None),
            broken: Notify::new(),
            additions,
            generation: AtomicU64::new(0),
            lacking_epochs: Mutex::default(),
            registrations: Registrations::default(),
            last_expiry: AtomicU64::new(0),
            replicas: AtomicU32::new(0),
            is_fenced: AtomicBool::new(false),
            confirmed: AtomicBool::new(true),
            client_set: Mutex::new("-".to_owned()),
            gateways: Mutex::default(),
            stats: Stats::default(),
            clients: KnownClients::default(),
            admits: OnceLock::new(),
        }
    }

    /// Returns the table of clients and grants, which is the journal's if there is one.
    pub(super) fn interner(&self) -> &Interner {
        self.journal.as_ref().map_or(&self.own_interner, |journal| journal.interner())
    }

    /// Waits for connections and returns them. The caller limits the wait.
    pub(super) async fn link(&self) -> Result<Arc<Link>, StoreError> {
        let mut link = self.link.subscribe();
        let link = link.wait_for(Option::is_some).await;
        link.ok().and_then(|link| link.clone()).ok_or(StoreError::Unavailable)
    }

    /// Runs a command about a token or a used name.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let link = self.link().await?;
        link.data.clone().query(command).await.map_err(|error| self.failed(&link, &error))
    }

    /// Records that the engine failed to execute a command.
    pub(super) fn failed(&self, link: &Arc<Link>, error: &EngineError) -> StoreError {
        log::debug!("the shared store has failed: {error}");
        // The connection to a cluster finds other nodes by itself.
        let is_current = self.link.borrow().as_ref().is_some_and(|current| Arc::ptr_eq(current, link));
        if is_current && error.is_about_connection() && matches!(link.data, Data::One(_)) {
            self.broken.notify_one();
        }
        StoreError::Unavailable
    }

    /// Queries the engine for a token.
    pub(super) async fn fetch(&self, token: &TokenDigest) -> Result<Fetched, StoreError> {
        let generation = self.generation.load(Ordering::Acquire);
        let key = self.keys.token(token);
        let mut commands = redis::pipe();
        commands.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
        let link = self.link().await?;
        let (mut sent, now) = (self.lease.now(), self.clock.now());
        let mut data = link.data.clone();
        let answer = data.query_all(&commands).await;
        let (value, left): (Option<Vec<u8>>, i64) = answer.map_err(|error| self.failed(&link, &error))?;
        // A key without an expiry was not written by a gateway.
        let left = u64::try_from(left).unwrap_or(0);
        let state = match value.as_deref().map(Value::read) {
            _ if left == 0 => State::Absent,
            None => State::Absent,
            // A later version has written it. The token may be valid, so it is not called unknown.
            Some(None) => return Err(StoreError::Unavailable),
            Some(Some(Value::Revoked { logged })) => {
                State::Revoked { logged, until: now.after(Duration::from_millis(left)) }
            }
            Some(Some(Value::Token(grant))) => {
                // The start of the lifetime is computed from the time that is left, which is never more than
                // the lifetime of the grant.
                let lifetime = u64::try_from(grant.terms.lifetime.as_millis()).unwrap_or(u64::MAX);
                let used = lifetime.saturating_sub(left);
                let issued = Millis::new(now.as_u64().saturating_sub(used));
                let client = self.interner().client(&grant.client);
                // No token was issued in an epoch that had not begun.
                client.advance_to(grant.epoch);
                match self.lease.last_read() {
                    // What is known about epochs is from that read.
                    Some(read) => sent = sent.min(read),
                    // The log may have the end of an epoch that was not read.
                    None => {
                        let mut epoch = redis::cmd("HGET");
                        epoch.arg(&self.keys.epochs).arg(grant.client.as_str());
                        let epoch = data.query::<Option<u32>>(&epoch).await;
                        let epoch = epoch.map_err(|error| self.failed(&link, &error))?;
                        client.advance_to(epoch.unwrap_or(0));
                    }
                }
                State::Token(self.interner().record(&grant, issued))
            }
        };
        Ok(Fetched { sent, generation, state })
    }

    /// Puts a token from the engine into memory. Returns its record, unless the token was revoked in the
    /// meantime.
    pub(super) fn adopt(&self, token: TokenDigest, record: Record, generation: u64) -> Option<Record> {
        if let Found::Known(known) = self.memory.find(&token) {
            return Some(known);
        }
        if self.admits.get().is_some_and(|admits| !admits(&record)) {
            return None;
        }
        self.expires_at(record.expires());
        if self.memory.keep(token, record.clone()).is_ok() {
            let _ = record.grant().client().take_place(record.grant().epoch(), u32::MAX);
        }
        // Both are checked after the token is in memory. Revocations from then on remove it from there.
        let revoked = self.tombstones.has(&token);
        if revoked || self.generation.load(Ordering::Acquire) != generation {
            self.forget(&token);
        }
        (!revoked).then_some(record)
    }

    /// Removes a token from memory, and frees its place in the client's count.
    pub(super) fn forget(&self, token: &TokenDigest) {
        if let Some(record) = self.memory.remove(token) {
            record.release();
        }
    }

    /// Refuses a token from now on. Returns whether the token was not refused before.
    pub(super) fn bury(&self, token: TokenDigest, until: Millis) -> bool {
        // The tombstone is added first, so that a concurrent response about the token is not kept.
        let new = self.tombstones.add(token, until);
        self.forget(&token);
        new
    }

    /// Clears memory, because a revocation may have been missed.
    pub(super) fn clear(&self) {
        self.lease.end();
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.memory.clear(&mut |record| record.release());
    }

    /// Records when a token expires.
    pub(super) fn expires_at(&self, expires: Millis) {
        self.last_expiry.fetch_max(expires.as_u64(), Ordering::Relaxed);
    }

    /// Records what the engine says about itself.
    pub(super) fn note_identity(&self, identity: &Identity) {
        self.replicas.store(identity.replicas, Ordering::Relaxed);
        self.is_fenced.store(identity.is_fenced, Ordering::Relaxed);
    }

    /// Returns whether the engine refuses writes without replicas. Such a server may be one of two primaries:
    /// for some seconds, it does not know yet that it has lost its replicas.
    pub(super) fn is_fenced(&self) -> bool {
        self.is_fenced.load(Ordering::Relaxed)
    }

    /// Returns how many replicas the engine has.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    /// Records whether a replica has confirmed the appended entries.
    pub(super) fn note_confirmation(&self, confirmed: bool) {
        if !confirmed {
            self.stats.unconfirmed.add(1);
        }
        match (self.confirmed.swap(confirmed, Ordering::Relaxed), confirmed) {
            (true, false) => log::warn!(
                "the shared store: no replica confirms revocations in time. Until one does, {}",
                if self.is_fenced() {
                    "they are answered with 503"
                } else {
                    "only the gateways keep them if the primary fails"
                }
            ),
            (false, true) => log::info!("the shared store: replicas confirm revocations again"),
            _ => {}
        }
    }

    /// Returns how long a moment is in the future, in milliseconds.
    pub(super) fn left(&self, until: Millis) -> u64 {
        until.as_u64().saturating_sub(self.clock.now().as_u64())
    }
}

/// The response of the engine about a token.
pub(super) struct Fetched {
    /// When the query was sent, on the clock of the lease, or the last read of the log if that is older and
    /// counts.
    pub(super) sent: Millis,
    /// The generation of memory at that time.
    pub(super) generation: u64,
    pub(super) state: State,
}

pub(super) enum State {
    Token(Record),
    Revoked { logged: bool, until: Millis },
    Absent,
}

/// Locks a table. A thread that panicked with the lock held left it whole: entries are changed by one call.
pub(super) fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
