//! Opening a journal: the file, what is in it, and the threads that write it.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, OnceLock};

use super::Journal;
use crate::clock::Clock;
use crate::store::client_table::MemoryTable;
use crate::store::journal::boot::BootClock;
use crate::store::journal::error::JournalError;
use crate::store::journal::file::JournalFile;
use crate::store::journal::follow::Following;
use crate::store::journal::load::{Loaded, Target, load};
use crate::store::journal::report;
use crate::store::journal::sync::Syncer;
use crate::store::journal::used::UsedNames;
use crate::store::journal::writer::{self, Clocks, Shared};
use crate::store::memory::MemoryStore;
use crate::store::stored::Interner;
use crate::threads;

/// How many numbers of grants are reserved for a process that shares the file. That process continues from
/// the numbers that both have read.
const OTHERS_GRANTS: u64 = 1 << 32;

impl Journal {
    /// Opens the journal of one process. A file that is damaged is set aside.
    pub(super) fn open_on(
        folder: &Path,
        max_tokens: usize,
        clock: Arc<dyn Clock>,
        boot: Arc<dyn BootClock>,
    ) -> Result<Self, JournalError> {
        match Self::try_open(folder, max_tokens, Arc::clone(&clock), Arc::clone(&boot), None) {
            Err(error) if report::is_damage(&error) => {
                // Clients have no other place, and each row has its own checksum.
                #[cfg(feature = "gateway")]
                let registered = report::registered_rows(folder).unwrap_or_default();
                let aside = report::set_aside(folder)?;
                log::error!(
                    "{error}; it is kept as {}, all tokens end, and the use of secrets is counted from now on",
                    aside.display()
                );
                let opened = Self::try_open(folder, max_tokens, clock, boot, None)?;
                #[cfg(feature = "gateway")]
                opened.restore_registered(registered);
                Ok(opened)
            }
            opened => opened,
        }
    }

    /// Opens the journal once, with the lock of another process if that one shares the file.
    pub(super) fn try_open(
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
        let restarts = Arc::clone(&shared);
        let around_restart = move |restart: &mut dyn FnMut()| restarts.while_restarting(restart);
        let syncer = Syncer::start(&path, Box::new(around_restart))?;
        let writer =
            threads::spawn("tollgate-journal", move || writer::run(&to_write, file, syncer, &clocks))
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
            tokens_wait: AtomicBool::new(false),
        })
    }
}
