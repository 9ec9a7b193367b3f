//! The store of the gateway: in memory with a journal, in memory alone, or shared with other gateways.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use super::client_set::client_set;
use super::error::StartError;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, StoreKind};
use crate::gate::{Gate, GateSpec};
use crate::store::journal::LOCK;
use crate::store::{Journal, Pending, RedisOptions, RedisStore, SharedStoreStatus, StoreError};
use crate::tasks;

/// A gate, and its store.
pub(crate) struct Stored {
    pub(crate) gate: Gate,
    journal: Option<Arc<Journal>>,
    shared: Option<Arc<RedisStore>>,
}

/// Makes the gate of a configuration, with the tokens from before a restart. `lock` is the lock of a gateway
/// that shares its journal.
pub(crate) fn gate(config: &Config, lock: Option<OwnedFd>) -> Result<Stored, StartError> {
    let max_tokens = usize::try_from(config.token_service.max_tokens.get()).unwrap_or(usize::MAX);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let builder = Gate::builder(GateSpec::from(config)).max_tokens(max_tokens).clock(Arc::clone(&clock));
    let journal = journal(config, lock, max_tokens, &clock)?;
    let mut shared = None;
    let builder = match (&config.store, &journal) {
        (StoreKind::Redis(options), _) => {
            let options = RedisOptions { name: name(), ..(**options).clone() };
            let store =
                RedisStore::open(options, max_tokens, clock, journal.clone()).map_err(StartError::system)?;
            let store = Arc::new(store);
            store.set_client_set(client_set(config));
            builder.store(Arc::<RedisStore>::clone(shared.insert(store)))
        }
        (_, Some(journal)) => builder.store(Arc::<Journal>::clone(journal)),
        (_, None) => builder,
    };
    let gate = builder.build().map_err(StartError::system)?;
    // The gate has compared the tokens from before with the configuration and ended some of them. That must
    // be durable before the first response, so that no later configuration makes those tokens valid again.
    if let Some(journal) = &journal
        && block_on(journal.flush())?.is_err()
    {
        return Err(StartError::system(
            "the journal cannot be written, so tokens that have ended might come back",
        ));
    }
    Ok(Stored { gate, journal, shared })
}

/// Opens the journal, if the configuration has one and it can be used.
fn journal(
    config: &Config,
    lock: Option<OwnedFd>,
    max_tokens: usize,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<Journal>>, StartError> {
    // What is lost without the journal, if the gateway can run without it.
    let without = match config.store {
        StoreKind::Memory => return Ok(None),
        StoreKind::Journal => None,
        StoreKind::JournalIfPossible => Some(
            "tokens are kept in memory alone, so a restart ends all of them. [store] kind = \"memory\" accepts that, and \
             kind = \"journal\" makes it an error",
        ),
        StoreKind::Redis(_) => Some(
            "revocations that the shared store cannot carry out are kept in memory alone, so a restart of this gateway \
             forgets them. Set server.state_dir to a folder that it can write",
        ),
    };
    let folder = &config.server.state_dir;
    // Another folder means another journal.
    let lock = lock.filter(|lock| is_lock_of(lock, folder));
    let without = without.filter(|_| lock.is_none());
    let journal = match lock {
        Some(lock) => Journal::open_shared(folder, max_tokens, Arc::clone(clock), lock),
        None => Journal::open(folder, max_tokens, Arc::clone(clock)),
    };
    match (journal, without) {
        (Ok(journal), _) => {
            journal.let_tokens_wait();
            Ok(Some(Arc::new(journal)))
        }
        // A gateway that cannot write to any folder can still serve, if the file does not ask for durable
        // state.
        (Err(error), Some(without)) if error.is_about_the_folder() => {
            log::error!("{error}: {without}");
            Ok(None)
        }
        (Err(error), _) => Err(StartError::system(error)),
    }
}

/// Returns the name of this gateway for other gateways: the host name and the process id.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{}/{}", if host.is_empty() { "gateway" } else { host }, std::process::id())
}

/// Returns whether a descriptor is that of the journal's lock in a folder.
fn is_lock_of(lock: &OwnedFd, folder: &Path) -> bool {
    let Ok(held) = rustix::fs::fstat(lock) else { return false };
    rustix::fs::stat(folder.join(LOCK))
        .is_ok_and(|file| (file.st_dev, file.st_ino) == (held.st_dev, held.st_ino))
}

impl Stored {
    /// Writes all issued tokens, and starts to share the journal. Returns its lock, with which the new
    /// process can open it, or `None` without a journal.
    pub(crate) fn share(&self) -> Result<Option<OwnedFd>, StartError> {
        let Some(journal) = &self.journal else { return Ok(None) };
        journal.share().map_err(StartError::system)?;
        match block_on(journal.flush()) {
            Ok(Ok(())) => journal.lock().map(Some).map_err(StartError::system),
            _ => {
                journal.unshare();
                Err(StartError::system("the journal cannot be written"))
            }
        }
    }

    /// Returns the journal, if there is one.
    pub(crate) fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.clone()
    }

    /// Publishes the digest of this gateway's clients to other gateways on the shared store.
    pub(crate) fn set_clients(&self, config: &Config) {
        if let Some(shared) = &self.shared {
            shared.set_client_set(client_set(config));
        }
    }

    /// Returns the statistics of the shared store, if there is one.
    pub(crate) fn shared_status(&self) -> Option<SharedStoreStatus> {
        self.shared.as_ref().map(|shared| shared.status())
    }

    /// Reads what the other process has written. Errors are logged.
    pub(crate) fn catch_up(&self) {
        if let Some(journal) = &self.journal {
            let _ = journal.catch_up();
        }
    }

    /// Stops sharing the journal.
    pub(crate) fn unshare(&self) {
        if let Some(journal) = &self.journal {
            journal.unshare();
        }
    }

    /// Writes all issued tokens, and waits until that is done.
    pub(crate) fn finish(&self) {
        if let Some(journal) = &self.journal
            && !matches!(block_on(journal.flush()), Ok(Ok(())))
        {
            log::error!("the journal cannot be written: the tokens of its last batch are lost");
        }
    }
}

/// Waits for the store on this thread, which runs no async runtime.
pub(super) fn block_on<T>(
    pending: Pending<'_, Result<T, StoreError>>,
) -> Result<Result<T, StoreError>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(StartError::system)?;
    Ok(tasks::block_on(&runtime, pending.get()))
}
