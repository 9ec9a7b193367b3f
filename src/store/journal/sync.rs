//! The thread that syncs what was written. Meanwhile issued tokens go on being written: a process that is killed loses none
//! of them because a disk is slow.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::journal::error::JournalError;
use crate::store::journal::file::{checkpoint, open_to_copy};
use crate::store::journal::report::beside;

/// From this size on, the log is copied into the database, while others write.
const COPY_FROM: u64 = 4 << 20;
/// From this size on, the log begins again. Those who write wait for that.
const RESTART_FROM: u64 = 16 << 20;

/// Those who wait until something survives a power loss.
pub(super) type Waiting = Vec<oneshot::Sender<()>>;

/// Asks the thread to sync.
pub(super) struct Syncer {
    asked: Sender<Waiting>,
    thread: JoinHandle<()>,
    failed: Arc<AtomicBool>,
}

impl Syncer {
    /// Starts the thread, for the log of this database.
    pub(super) fn start(database: &Path) -> Result<Self, JournalError> {
        let (asked, requests) = channel();
        let failed = Arc::<AtomicBool>::default();
        let mut work = Work {
            database: database.to_owned(),
            log: beside(database, "-wal"),
            connection: None,
            failed: Arc::clone(&failed),
        };
        let thread = Builder::new().name("tollgate-sync".to_owned()).spawn(move || work.run(&requests));
        let thread = thread.map_err(|error| JournalError::Io(database.to_owned(), error))?;
        Ok(Self { asked, thread, failed })
    }

    /// Syncs what was written before this call, and then answers those who wait. If that fails, they are dropped.
    pub(super) fn sync(&self, waiting: Waiting) {
        let _ = self.asked.send(waiting);
    }

    /// Returns whether something was written that may not survive a power loss, because a sync has failed. Another sync would
    /// seem to succeed: the system forgets what it could not write.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Notes that everything is safe again.
    pub(super) fn recovered(&self) {
        self.failed.store(false, Ordering::Release);
    }

    /// Ends the thread, after it has done what it was asked for.
    pub(super) fn finish(self) {
        drop(self.asked);
        let _ = self.thread.join();
    }
}

struct Work {
    database: PathBuf,
    log: PathBuf,
    /// Opened when the log is copied for the first time.
    connection: Option<Connection>,
    failed: Arc<AtomicBool>,
}

impl Work {
    fn run(&mut self, requests: &Receiver<Waiting>) {
        while let Ok(mut waiting) = requests.recv() {
            // One sync serves all who have asked by now.
            requests.try_iter().for_each(|more| waiting.extend(more));
            match File::open(&self.log).and_then(|log| log.sync_data()) {
                Ok(()) if !self.failed.load(Ordering::Acquire) => {
                    for waiting in waiting {
                        let _ = waiting.send(());
                    }
                }
                Ok(()) => {}
                Err(error) => self.fail(&error),
            }
            self.copy();
        }
    }

    fn fail(&self, error: &io::Error) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            log::error!("{} cannot be synced: {error}", self.log.display());
        }
    }

    /// Keeps the log short. What cannot be copied now is copied later: nothing depends on it.
    fn copy(&mut self) {
        let size = fs::metadata(&self.log).map_or(0, |log| log.len());
        if size < COPY_FROM {
            return;
        }
        if self.connection.is_none() {
            self.connection = open_to_copy(&self.database).ok();
        }
        if let Some(connection) = &self.connection {
            let _ = checkpoint(connection, "PASSIVE");
            if size >= RESTART_FROM {
                let _ = checkpoint(connection, "TRUNCATE");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_answered_after_a_sync_has_failed_until_all_is_safe_again() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("journal.db");
        let syncer = Syncer::start(&database).unwrap();
        let sync = || {
            let (sender, done) = oneshot::channel();
            syncer.sync(vec![sender]);
            done.blocking_recv().is_ok()
        };
        assert!(!sync() && syncer.has_failed(), "there is no log");
        fs::write(beside(&database, "-wal"), b"").unwrap();
        assert!(!sync(), "the next sync proves nothing");
        syncer.recovered();
        assert!(sync() && !syncer.has_failed());
        syncer.finish();
    }
}
