//! Reads what another process writes into the same journal. Two processes share a journal while a new process
//! takes over from an old one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _};

use crate::oauth::grant::Grant;
use crate::store::journal::batch;
use crate::store::journal::error::JournalError;
use crate::store::journal::file;
use crate::store::journal::load::{Loaded, Target, apply, grant};
use crate::store::journal::own_rows::OwnRows;

/// Reads the rows that another process writes, as long as there is such a process.
#[derive(Default)]
pub(super) struct Following {
    active: AtomicBool,
    follower: Mutex<Option<Follower>>,
}

struct Follower {
    connection: Connection,
    path: PathBuf,
    /// The last row that was read.
    seen: i64,
    /// The grants of rows that were read.
    grants: HashMap<u64, Arc<Grant>>,
}

impl Following {
    /// Returns whether another process may write.
    pub(super) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Starts to follow the journal after row `seen`, or after its last row.
    pub(super) fn start(&self, folder: &Path, seen: Option<i64>) -> Result<(), JournalError> {
        let mut follower = self.lock();
        let missing = || JournalError::Damaged(folder.to_owned(), "the journal is gone");
        let (connection, path) = file::open_to_read(folder)?.ok_or_else(missing)?;
        let last = || connection.query_row("SELECT COALESCE(MAX(seq), 0) FROM batches", [], |row| row.get(0));
        let seen = seen.map_or_else(last, Ok).map_err(|error| JournalError::Sqlite(path.clone(), error))?;
        *follower = Some(Follower { connection, path, seen, grants: HashMap::new() });
        self.active.store(true, Ordering::Release);
        Ok(())
    }

    /// Stops following the journal.
    #[cfg(feature = "gateway")]
    pub(super) fn stop(&self) {
        let mut follower = self.lock();
        self.active.store(false, Ordering::Release);
        *follower = None;
    }

    /// Reads from the file, if another process may write.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Option<rusqlite::Result<T>> {
        self.lock().as_ref().map(|follower| read(&follower.connection))
    }

    /// Loads what another process has written since the last call into memory. Returns when the last of these
    /// tokens expires.
    pub(super) fn catch_up(&self, own: &OwnRows, now: i64, target: &Target<'_>) -> Result<i64, JournalError> {
        let mut follower = self.lock();
        let Some(follower) = &mut *follower else { return Ok(0) };
        let read = follower.read(own, now, target);
        own.forget_until(follower.seen);
        match read {
            Ok(Some(last_expiry)) => Ok(last_expiry),
            Ok(None) => Err(JournalError::Damaged(follower.path.clone(), "the checksum of a row is wrong")),
            Err(error) => Err(JournalError::Sqlite(follower.path.clone(), error)),
        }
    }

    /// A thread that panicked while it held the lock may have left a row that is read again. A second read
    /// changes nothing.
    fn lock(&self) -> MutexGuard<'_, Option<Follower>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Returns `None` if a row is damaged.
    fn read(&mut self, own: &OwnRows, now: i64, target: &Target<'_>) -> rusqlite::Result<Option<i64>> {
        let Self { connection, seen, grants, .. } = self;
        let mut loaded = Loaded::default();
        let mut statement = connection
            .prepare("SELECT seq, kind, base, until, blob FROM batches WHERE seq > ?1 ORDER BY seq")?;
        let mut rows = statement.query([*seen])?;
        while let Some(row) = rows.next()? {
            let (seq, kind, base): (i64, u8, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !own.contain(seq) {
                let content = batch::open(kind, base, row.get(3)?, row.get_ref(4)?.as_blob()?);
                let Some(content) = content else { return Ok(None) };
                if kind == batch::ISSUED {
                    for (_, id, _) in batch::issued(content, base) {
                        if let std::collections::hash_map::Entry::Vacant(vacant) = grants.entry(id)
                            && let Some((grant, until)) = read_grant(connection, id, target)?
                        {
                            if let Some(found) = target.found {
                                found(&grant, id, until);
                            }
                            vacant.insert(grant);
                        }
                    }
                }
                if !apply(kind, base, content, now, target, grants, &mut loaded) {
                    return Ok(None);
                }
            }
            *seen = seq;
        }
        Ok(Some(loaded.last_expiry))
    }
}

/// Returns a grant, and the time until which the file stores it.
fn read_grant(
    connection: &Connection,
    id: u64,
    target: &Target<'_>,
) -> rusqlite::Result<Option<(Arc<Grant>, i64)>> {
    let mut statement = connection.prepare("SELECT blob, until FROM grants WHERE id = ?1")?;
    let row: Option<(Vec<u8>, i64)> =
        statement.query_row([id.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.and_then(|(blob, until)| Some((grant(id, &blob, target)?, until))))
}
