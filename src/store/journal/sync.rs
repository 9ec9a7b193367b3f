//! The thread that syncs the journal. Issued tokens are still written during a sync, so that a slow disk does
//! not increase what a killed process loses.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::journal::error::JournalError;
use crate::store::journal::file::{checkpoint, open_to_copy};
use crate::store::journal::report::beside;
use crate::threads;

/// The size of the log from which it is checkpointed while others write.
const COPY_FROM: u64 = 4 << 20;
/// The size of the log from which it is restarted. Writers wait for that.
const RESTART_FROM: u64 = 16 << 20;

/// The waiters for a sync.
pub(super) type Waiting = Vec<oneshot::Sender<()>>;

/// A callback that runs the restart of the log that it gets. The first write after that is slow.
pub(super) type AroundRestart = Box<dyn Fn(&mut dyn FnMut()) + Send>;

/// A handle that asks the thread for a sync.
pub(super) struct Syncer {
    asked: Sender<Waiting>,
    thread: JoinHandle<()>,
    failed: Arc<AtomicBool>,
}

impl Syncer {
    /// Starts the thread, for the log of this database.
    pub(super) fn start(database: &Path, around_restart: AroundRestart) -> Result<Self, JournalError> {
        let (asked, requests) = channel();
        let failed = Arc::<AtomicBool>::default();
        let mut work = Work {
            database: database.to_owned(),
            log: beside(database, "-wal"),
            connection: None,
            around_restart,
            failed: Arc::clone(&failed),
        };
        let thread = threads::spawn("tollgate-sync", move || work.run(&requests));
        let thread = thread.map_err(|error| JournalError::Io(database.to_owned(), error))?;
        Ok(Self { asked, thread, failed })
    }

    /// Syncs everything that was written before this call, and then notifies the waiters. If the sync fails,
    /// the waiters are dropped.
    pub(super) fn sync(&self, waiting: Waiting) {
        let _ = self.asked.send(waiting);
    }

    /// Returns whether an earlier sync has failed, so that written data may be lost at a power loss. A second
    /// sync would seem to succeed, because the system discards pages that it could not write.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Records that everything is durable again.
    pub(super) fn recovered(&self) {
        self.failed.store(false, Ordering::Release);
    }

    /// Ends the thread after it has handled all requests.
    pub(super) fn finish(self) {
        drop(self.asked);
        let _ = self.thread.join();
    }
}

struct Work {
    database: PathBuf,
    log: PathBuf,
    /// The connection, opened at the first checkpoint.
    connection: Option<Connection>,
    around_restart: AroundRestart,
    failed: Arc<AtomicBool>,
}

impl Work {
    fn run(&mut self, requests: &Receiver<Waiting>) {
        while let Ok(mut waiting) = requests.recv() {
            // One sync serves all requests that have arrived by now.
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

    /// Keeps the log short. A checkpoint that fails is tried again later, and no other operation depends on
    /// it.
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
                (self.around_restart)(&mut || drop(checkpoint(connection, "TRUNCATE")));
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
        let syncer = Syncer::start(&database, Box::new(|restart| restart())).unwrap();
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
