//! A store in memory whose changes are recorded in a journal file, so that they survive a restart.

mod batch;
mod boot;
mod client_rows;
mod client_table;
mod earlier;
mod error;
mod file;
mod follow;
mod grant_ids;
mod lasting;
mod load;
mod network;
mod open;
mod own_rows;
mod ownership;
mod report;
#[cfg(feature = "redis")]
mod revocations;
mod sharing;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod usage;
mod used;
mod writer;

use std::collections::HashMap;
use std::fmt;
#[cfg(feature = "gateway")]
use std::fs::File;
use std::path::Path;
#[cfg(any(feature = "gateway", feature = "redis"))]
use std::path::PathBuf;
#[cfg(feature = "gateway")]
use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

pub use self::error::JournalError;
#[cfg(feature = "gateway")]
pub(crate) use self::file::LOCK;
#[cfg(feature = "gateway")]
pub(crate) use self::report::{Report, registered_rows, report, usage};
#[cfg(feature = "gateway")]
pub(crate) use self::usage::UsageRow;
use crate::clock::{Clock, Millis};
use crate::oauth::client::ClientId;
use crate::store::client_table::MemoryTable;
use crate::store::journal::boot::{BootClock, SystemBoot};
use crate::store::journal::follow::Following;
use crate::store::journal::grant_ids::GrantIds;
use crate::store::journal::own_rows::OwnRows;
use crate::store::journal::used::UsedNames;
use crate::store::journal::writer::Shared;
use crate::store::lasting::OnFound;
use crate::store::memory::MemoryStore;
use crate::store::stored::Interner;
use crate::store::token_store::{OnRowChange, Pending, StoreError, TokenStore};

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
/// # let headers = |token: &tollgate::oauth::AccessToken| -> Result<http::HeaderMap, Box<dyn std::error::Error>> {
/// #     Ok([(http::header::AUTHORIZATION, format!("Bearer {}", token.expose()).parse()?)].into_iter().collect())
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
    /// Whether tokens wait for their write while the disk is slow.
    tokens_wait: AtomicBool,
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

    /// Lets the insertion of a token wait for its write while the disk is slow, so that a killed process
    /// loses no more than the tokens of the last 10 ms. A caller that cannot wait would get
    /// [`StoreError::Unavailable`] then.
    #[cfg(feature = "gateway")]
    pub(crate) fn let_tokens_wait(&self) {
        self.tokens_wait.store(true, Ordering::Relaxed);
    }

    /// Writes everything that was issued before this call.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be written.
    pub fn flush(&self) -> Pending<'_, Result<(), StoreError>> {
        Pending::Wait(self.shared.add_for_good(|_| ()))
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

    fn on_journal_clock(&self, time: Millis) -> i64 {
        i64::try_from(time.as_u64()).unwrap_or(i64::MAX).saturating_add(self.offset)
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
