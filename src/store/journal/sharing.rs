//! A journal file that two processes have open, while one of them replaces the other.

#[cfg(feature = "gateway")]
use std::io;
#[cfg(feature = "gateway")]
use std::os::fd::OwnedFd;
#[cfg(feature = "gateway")]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Journal, lock};
#[cfg(feature = "gateway")]
use crate::clock::Clock;
use crate::oauth::grant::Grant;
#[cfg(feature = "gateway")]
use crate::store::journal::boot::SystemBoot;
#[cfg(feature = "gateway")]
use crate::store::journal::error::JournalError;
use crate::store::journal::load::Target;
use crate::store::token_store::StoreError;

impl Journal {
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
}
