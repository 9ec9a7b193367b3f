//! A store in memory whose changes are recorded in a journal file, so that they survive a restart.

mod batch;
mod boot;
mod client_rows;
mod client_table;
mod error;
mod file;
mod follow;
mod grant_ids;
mod load;
mod network;
mod own_rows;
mod report;
#[cfg(feature = "redis")]
mod revocations;
mod sync;
#[cfg(test)]
mod tests;
mod usage;
mod used;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
#[cfg(feature = "gateway")]
use std::io;
#[cfg(feature = "gateway")]
use std::os::fd::OwnedFd;
use std::path::Path;
#[cfg(any(feature = "gateway", feature = "redis"))]
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::error::JournalError;
#[cfg(feature = "gateway")]
pub(crate) use self::file::LOCK;
#[cfg(feature = "gateway")]
pub(crate) use self::report::{Report, registered_rows, report, usage};
#[cfg(feature = "gateway")]
pub(crate) use self::usage::UsageRow;
use crate::clock::{Clock, Millis};
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Grant, Record};
use crate::oauth::token::TokenDigest;
use crate::store::client_table::{ClientTable, MemoryTable, OnRowChange};
use crate::store::journal::batch::{Batch, ClientRow, Epoch, GrantRow, Issued};
use crate::store::journal::boot::{BootClock, SystemBoot};
use crate::store::journal::file::JournalFile;
use crate::store::journal::follow::Following;
use crate::store::journal::grant_ids::GrantIds;
use crate::store::journal::load::{Loaded, Target, load};
use crate::store::journal::own_rows::OwnRows;
use crate::store::journal::sync::Syncer;
use crate::store::journal::used::UsedNames;
use crate::store::journal::writer::{Clocks, Shared};
use crate::store::lasting::{Lasting, OnFound};
use crate::store::memory::MemoryStore;
use crate::store::stored::{Interner, StoredGrant};
use crate::store::token_store::{Found, Health, Pending, StoreError, TokenStore, Use};
use crate::store::used_name::UsedName;

/// How many numbers of grants are reserved for a process that shares the file. That process continues from
/// the numbers that both have read.
const OTHERS_GRANTS: u64 = 1 << 32;

/// A store in the memory of this process. It records its changes in a journal file, and loads the file when
/// it starts.
///
/// Requests are answered from memory. A separate thread writes the journal, which is an SQLite database used
/// as a log.
///
/// - *Revoking a token, ending a client's epoch and using an assertion up* succeed once they survive a power
///   loss.
/// - *Issued tokens* are written within 10 ms and synced each second. A process that is killed loses those of
///   the last 10 ms; their clients get 401 and request new ones.
/// - *Clients that change* while the process does not run lose the tokens that a reload would have ended, and
///   what a reload has ended does not come back. A file of an earlier version does not say what its tokens
///   depend on, so they end.
/// - *Lifetimes go on* while the process does not run. Within one start of the machine its clock decides, and
///   steps of the wall clock do nothing. After another start the wall clock says how much time has passed. If
///   it shows a time before the last one written down, all tokens end. What remains of a lifetime never
///   grows.
/// - *A disk that is full or broken* makes issuing and revoking fail with [`StoreError::Unavailable`]; known
///   tokens are still found. Nothing is lost: everything is written as soon as the disk can be written again.
///
/// ```
/// use std::sync::Arc;
/// use tollgate::clock::SystemClock;
/// use tollgate::store::Journal;
/// use tollgate::{ClientSpec, Gate, GateSpec, Requirement};
///
/// # let folder = tempfile::tempdir()?;
/// # let headers = |token: &tollgate::oauth::AccessToken| -> Result<http::HeaderMap, Box<dyn
/// std::error::Error>> {
/// #     Ok([(http::header::AUTHORIZATION, format!("Bearer {}",
/// token.expose()).parse()?)].into_iter().collect())
/// # };
/// let gate = || -> Result<Gate, Box<dyn std::error::Error>> {
///     let clock = Arc::new(SystemClock::new());
///     let journal = Journal::open(folder.path(), 1_000_000, clock.clone())?;
///     let client = ClientSpec::with_id("server")?.scopes("read")?;
///     Ok(Gate::builder(GateSpec::default().client(client)).clock(clock).store(Arc::new(journal)).build()?)
/// };
/// let first = gate()?;
/// let token = first.issue_to("server", "read")?;
/// drop(first);
/// let again = gate()?;
/// assert!(again.authorize(&headers(&token)?, &Requirement::all("read")?).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Journal {
    memory: MemoryStore,
    interner: Interner,
    used: UsedNames,
    grants: Mutex<GrantIds>,
    registrations: Mutex<HashMap<ClientId, Vec<u8>>>,
    /// The clients that have registered themselves, as they are in the file.
    registered: MemoryTable,
    on_row_change: OnceLock<OnRowChange>,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    boot: Arc<dyn BootClock>,
    #[cfg(any(feature = "gateway", feature = "redis"))]
    folder: PathBuf,
    #[cfg(feature = "gateway")]
    lock: File,
    own: Arc<OwnRows>,
    following: Following,
    /// Whether the other process opened the file before this one.
    is_successor: AtomicBool,
    on_found: OnceLock<OnFound>,
    /// The difference to add to the gate's clock to get the journal's clock.
    offset: i64,
    /// When the last token expires, on the journal's clock.
    last_expiry: AtomicI64,
}

impl Journal {
    /// Opens the journal in a folder, loads it, and starts the thread that writes it. The folder is made if
    /// it is not there. `clock` must be the clock of the gate, and at most `max_tokens` tokens are kept.
    ///
    /// A file that is damaged is renamed, with a warning, and the journal begins without tokens: clients get
    /// 401 and request new ones. No part of it is used, because a revocation may be in the part that cannot
    /// be read.
    ///
    /// # Errors
    /// A [`JournalError`] if the folder is on a network file system, if another process has the journal open,
    /// or if the file cannot be used.
    pub fn open(folder: &Path, max_tokens: usize, clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        Self::open_on(folder, max_tokens, clock, Arc::new(SystemBoot))
    }

    fn open_on(
        folder: &Path,
        max_tokens: usize,
        clock: Arc<dyn Clock>,
        boot: Arc<dyn BootClock>,
    ) -> Result<Self, JournalError> {
        match Self::try_open(folder, max_tokens, Arc::clone(&clock), Arc::clone(&boot), None) {
            Err(error) if report::is_damage(&error) => {
                let aside = report::set_aside(folder)?;
                log::error!(
                    "{error}; it is kept as {}, all tokens end, and the use of secrets is counted from now on",
                    aside.display()
                );
                Self::try_open(folder, max_tokens, clock, boot, None)
            }
            opened => opened,
        }
    }

    fn try_open(
        folder: &Path,
        max_tokens: usize,
        clock: Arc<dyn Clock>,
        boot: Arc<dyn BootClock>,
        lock: Option<File>,
    ) -> Result<Self, JournalError> {
        let is_shared = lock.is_some();
        let mut file = JournalFile::open(folder, lock)?;
        let clocks = Clocks { boot_id: boot.boot_id(), clock, boot: Arc::clone(&boot) };
        // The recorded moment is read before the clock. Another process may be writing, and a moment that it
        // records later would seem to be after now.
        let before = file.last_tick().map_err(|error| file.sqlite(error))?;
        let now = clocks.now();
        let gate_now = i64::try_from(clocks.clock.now().as_u64()).unwrap_or(i64::MAX);
        let offset = now.boot - gate_now;
        let (memory, interner, used) =
            (MemoryStore::new(max_tokens), Interner::default(), UsedNames::default());
        let target = Target { memory: &memory, interner: &interner, used: &used, offset, found: None };
        let Loaded { tokens, no_room, dropped, mut grants, registrations, registered, last_expiry, last_row } =
            load(&mut file, before.as_ref(), &now, &target)?;
        if dropped {
            log::warn!(
                "the clock shows a time before the last one in {}, so the time that its tokens have left is unknown: all \
                 of them end",
                file.path().display()
            );
        }
        if no_room > 0 {
            log::warn!("{no_room} tokens of {} have no room in memory and end", file.path().display());
        }
        log::debug!("{tokens} tokens loaded");
        let following = Following::default();
        if is_shared {
            following.start(folder, Some(last_row))?;
        }
        if is_shared {
            grants.leave(OTHERS_GRANTS);
        }
        #[cfg(feature = "gateway")]
        let held = file.lock()?;
        let own = Arc::clone(file.own_rows());
        let shared = Arc::<Shared>::default();
        let path = file.path().to_owned();
        let to_write = Arc::clone(&shared);
        let syncer = Syncer::start(&path)?;
        let writer = std::thread::Builder::new()
            .name("tollgate-journal".to_owned())
            .spawn(move || writer::run(&to_write, file, syncer, &clocks))
            .map_err(|error| JournalError::Io(path, error))?;
        Ok(Self {
            memory,
            interner,
            used,
            grants: Mutex::new(grants),
            registrations: Mutex::new(registrations),
            registered: MemoryTable::with(registered),
            on_row_change: OnceLock::new(),
            shared,
            writer: Some(writer),
            boot,
            #[cfg(any(feature = "gateway", feature = "redis"))]
            folder: folder.to_owned(),
            #[cfg(feature = "gateway")]
            lock: held,
            own,
            following,
            is_successor: AtomicBool::new(is_shared),
            on_found: OnceLock::new(),
            offset,
            last_expiry: AtomicI64::new(last_expiry),
        })
    }

    /// Writes everything that was issued before this call.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be written.
    pub fn flush(&self) -> Pending<'_, Result<(), StoreError>> {
        Pending::Wait(self.shared.add_for_good(|_| ()))
    }

    /// Opens a journal that another process of this user has open and [shares](Self::share). `lock` is the
    /// [`lock`](Self::lock) of that process. This journal is shared from the start.
    #[cfg(feature = "gateway")]
    pub(crate) fn open_shared(
        folder: &Path,
        max_tokens: usize,
        clock: Arc<dyn Clock>,
        lock: OwnedFd,
    ) -> Result<Self, JournalError> {
        Self::try_open(folder, max_tokens, clock, Arc::new(SystemBoot), Some(lock.into()))
    }

    /// Returns the lock of the file. A process that has it may open the file too.
    #[cfg(feature = "gateway")]
    pub(crate) fn lock(&self) -> io::Result<OwnedFd> {
        self.lock.try_clone().map(Into::into)
    }

    /// Starts to share the file with another process.
    ///
    /// A change is written before its call succeeds, and a token that is not in memory is looked up in the
    /// file. [`catch_up`](Self::catch_up) must be called often, because it finds the tokens that the other
    /// process has revoked.
    #[cfg(feature = "gateway")]
    pub(crate) fn share(&self) -> Result<(), JournalError> {
        self.own.keep(true);
        self.is_successor.store(false, Ordering::Relaxed);
        self.following.start(&self.folder, None).inspect_err(|_| self.own.keep(false))
    }

    /// Ends the sharing. The other process must have ended, or have written nothing that matters.
    #[cfg(feature = "gateway")]
    pub(crate) fn unshare(&self) {
        if self.catch_up().is_err() {
            log::error!("the last part of {} cannot be read", self.folder.display());
        }
        self.read_registered();
        self.following.stop();
        self.own.keep(false);
    }

    /// Stores the use of secrets. It is written with the next batch, and survives a power loss one second
    /// later.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nothing can be written at the moment. The rows are then dropped.
    #[cfg(feature = "gateway")]
    pub(crate) fn keep_usage(&self, rows: Vec<UsageRow>) -> Result<(), StoreError> {
        if self.shared.is_failing() {
            return Err(StoreError::Unavailable);
        }
        self.shared.add(|batch| batch.usage.extend(rows));
        Ok(())
    }

    /// Loads what the other process has written into memory.
    pub(crate) fn catch_up(&self) -> Result<(), StoreError> {
        if !self.following.is_active() {
            return Ok(());
        }
        let found = |grant: &Arc<Grant>, id, until| {
            lock(&self.grants).keep(grant, id, until);
            // The settings of a process that is being replaced are older than those of its successor.
            if self.is_successor.load(Ordering::Relaxed)
                && let Some(on_found) = self.on_found.get()
            {
                on_found(grant);
            }
        };
        let target = Target {
            memory: &self.memory,
            interner: &self.interner,
            used: &self.used,
            offset: self.offset,
            found: Some(&found),
        };
        let last_expiry =
            self.following.catch_up(&self.own, self.boot.boot_millis(), &target).map_err(|error| {
                log::error!("what another gateway has written cannot be read: {error}");
                StoreError::Unavailable
            })?;
        self.last_expiry.fetch_max(last_expiry, Ordering::Relaxed);
        Ok(())
    }

    fn on_journal_clock(&self, time: Millis) -> i64 {
        i64::try_from(time.as_u64()).unwrap_or(i64::MAX).saturating_add(self.offset)
    }
}

impl TokenStore for Journal {
    fn find(&self, token: &TokenDigest) -> Found {
        match self.memory.find(token) {
            Found::Unknown if self.following.is_active() => Found::Ask,
            found => found,
        }
    }

    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Found<()> {
        match self.memory.look(token, look) {
            Found::Unknown if self.following.is_active() => Found::Ask,
            found => found,
        }
    }

    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        Pending::Ready(self.catch_up().map(|()| self.memory.find(&token).known()))
    }

    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
        if self.shared.is_failing() {
            return Pending::Ready(Err(StoreError::Unavailable));
        }
        let (grant, issued) = (Arc::clone(record.grant()), self.on_journal_clock(record.issued()));
        let expires = self.on_journal_clock(record.expires());
        if let Err(full) = self.memory.keep(token, record) {
            return Pending::Ready(Err(full));
        }
        self.last_expiry.fetch_max(expires, Ordering::Relaxed);
        // The lock is held until both are in the queue, so that no token is written before its grant.
        let mut grants = lock(&self.grants);
        let (grant, row) = grants.number(&grant, expires);
        let add = |batch: &mut Batch| {
            batch.grants.extend(row);
            batch.issued.push(Issued { token, grant, issued, expires });
        };
        if self.following.is_active() {
            // The client may present the token to the other process at once.
            let written = self.shared.add_for_good(add);
            return Pending::Wait(Box::pin(async move {
                written.await.inspect_err(|_| {
                    self.memory.remove(&token);
                })
            }));
        }
        self.shared.add(add);
        Pending::Ready(Ok(()))
    }

    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        if let Err(error) = self.catch_up() {
            return Pending::Ready(Err(error));
        }
        let Some(record) = self.memory.remove(&token) else {
            // An earlier call may have revoked the token without being able to promise that it stays revoked.
            let failing = self.shared.is_failing();
            return Pending::Ready(if failing { Err(StoreError::Unavailable) } else { Ok(None) });
        };
        let expires = self.on_journal_clock(record.expires());
        let written = self.shared.add_for_good(|batch| batch.revoked.push((token, expires)));
        Pending::Wait(Box::pin(async move {
            match written.await {
                Ok(()) => Ok(Some(record)),
                Err(error) => {
                    // No caller receives the record any more.
                    record.release();
                    Err(error)
                }
            }
        }))
    }

    fn end_epoch(&self, client: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
        // The epoch is stored until the last token of an earlier epoch has expired.
        let until = self.last_expiry.load(Ordering::Relaxed).saturating_add(1);
        let ended = Epoch { client: client.as_str().to_owned(), epoch, until };
        let written = self.shared.add_for_good(|batch| batch.epochs.push(ended));
        Pending::Wait(Box::pin(async move { written.await.map(|()| epoch) }))
    }

    fn use_once(&self, name: UsedName, keep: Duration) -> Pending<'_, Result<Use, StoreError>> {
        if let Err(error) = self.catch_up() {
            return Pending::Ready(Err(error));
        }
        let now = self.boot.boot_millis();
        let until = now.saturating_add(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        match self.used.use_once(name, until, now) {
            Ok(Use::First) => {
                let written = self.shared.add_for_good(|batch| batch.used.push((name, until)));
                Pending::Wait(Box::pin(async move { written.await.map(|()| Use::First) }))
            }
            known => Pending::Ready(known),
        }
    }

    fn lasting(&self) -> Option<&dyn Lasting> {
        Some(self)
    }

    fn client_table(&self) -> Option<&dyn ClientTable> {
        Some(self)
    }

    fn client(&self, id: &ClientId) -> Arc<ClientState> {
        self.interner.client(id)
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        self.memory.sweep(now, at_most, forgotten)
    }

    fn scan(&self, at_most: usize, look: &mut dyn FnMut(&Record)) -> bool {
        self.memory.scan(at_most, look)
    }

    fn len(&self) -> usize {
        self.memory.len()
    }

    fn health(&self) -> Health {
        if self.shared.is_failing() { Health::ReadOnly } else { Health::Good }
    }
}

impl Lasting for Journal {
    fn grants(&self) -> Vec<Arc<Grant>> {
        lock(&self.grants).grants()
    }

    fn registrations(&self) -> HashMap<ClientId, Vec<u8>> {
        lock(&self.registrations).clone()
    }

    fn register(&self, client: &ClientId, registration: Option<Vec<u8>>) {
        // The lock is held until the change is in the queue, so that the file and memory end with the same
        // change.
        let mut registrations = lock(&self.registrations);
        match &registration {
            Some(registration) => drop(registrations.insert(client.clone(), registration.clone())),
            None => drop(registrations.remove(client)),
        }
        let row = ClientRow { client: client.as_str().to_owned(), registration };
        self.shared.add(|batch| batch.clients.push(row));
    }

    fn on_found(&self, on_found: OnFound) {
        // A journal belongs to one gate.
        let _ = self.on_found.set(on_found);
    }

    fn restrict(&self, grants: &[Arc<Grant>]) {
        let numbers = lock(&self.grants);
        self.shared.add(|batch| {
            for grant in grants {
                for (id, until) in numbers.rows(grant) {
                    if grant.is_current() {
                        let bytes = StoredGrant::of(grant).to_bytes();
                        batch.grants.push(GrantRow { id, until, bytes });
                    } else {
                        batch.ended.push(id);
                    }
                }
            }
        });
    }
}

/// Locks a table. A thread that panicked with the lock held left at worst a grant without a number, or a
/// registration that is not written.
fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Journal {
    /// Writes the changes that are not written yet.
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("tokens", &self.memory.len()).finish_non_exhaustive()
    }
}
