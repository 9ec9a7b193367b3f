//! The file of the journal: an SQLite database used as a log. Each row is one batch.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use crate::state_file;
use crate::store::journal::batch::{Batch, ClientRow, EPOCH, ISSUED, REVOKED};
use crate::store::journal::boot::Moment;
use crate::store::journal::client_rows;
use crate::store::journal::earlier;
use crate::store::journal::error::JournalError;
use crate::store::journal::network;
use crate::store::journal::own_rows::OwnRows;
use crate::store::journal::ownership;
use crate::store::journal::usage;

/// How often a lock that another process holds is tried, about a second in all. A process that was just killed
/// may still be ending, and a process that another thread is starting has the descriptors of this one until it
/// runs its program.
const LOCK_TRIES: u32 = 200;
/// The time between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// The name of the file in its folder. SQLite adds `-wal` and `-shm`.
pub(super) const NAME: &str = "journal.db";
/// The name of the file that is locked while a gateway has the journal open.
pub(crate) const LOCK: &str = "journal.lock";
/// The version of the format that this program writes (`PRAGMA user_version`).
pub(super) const VERSION: i64 = 3;
/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(2);
/// The maximum number of rows that one compaction deletes, so that other writers do not wait long.
const COMPACT_ROWS: i64 = 512;
/// The maximum number of free pages that one compaction returns to the file system.
const COMPACT_PAGES: i64 = 256;

const SCHEMA: &str = "
    CREATE TABLE batches (
        seq INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        base INTEGER NOT NULL,
        until INTEGER NOT NULL,
        blob BLOB NOT NULL
    );
    CREATE INDEX batches_until ON batches (until);
    CREATE TABLE grants (id INTEGER PRIMARY KEY, until INTEGER NOT NULL, blob BLOB NOT NULL);
    CREATE TABLE tick (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        boot_id TEXT NOT NULL,
        boot INTEGER NOT NULL,
        wall INTEGER NOT NULL,
        created INTEGER NOT NULL
    );
    CREATE TABLE clients (id TEXT PRIMARY KEY, registration BLOB NOT NULL) WITHOUT ROWID;
";

/// The journal's file, open for writing.
pub(super) struct JournalFile {
    connection: Connection,
    path: PathBuf,
    /// The lock, held as long as the file is open, so that no other gateway opens the file.
    #[cfg_attr(
        not(feature = "gateway"),
        expect(dead_code, reason = "it is held, and only the gateway passes it on")
    )]
    lock: File,
    own: Arc<OwnRows>,
}

/// Locks a file for this process alone.
fn lock_alone(file: &File) -> rustix::io::Result<()> {
    let lock = || rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    for _ in 1..LOCK_TRIES {
        match lock() {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
    lock()
}

impl JournalFile {
    /// Opens the file in a folder. Creates both, readable for this user only, if they do not exist. `lock` is
    /// the lock of a process that has the file open and shares it.
    pub(super) fn open(folder: &Path, lock: Option<File>) -> Result<Self, JournalError> {
        let unusable = |path: &Path, error: io::Error| JournalError::Io(path.to_owned(), error);
        state_file::make_folder(folder).map_err(|error| unusable(folder, error))?;
        if let Some(kind) = network::kind(folder).map_err(|error| unusable(folder, error))? {
            return Err(JournalError::Network(folder.to_owned(), kind));
        }
        ownership::check(folder, &[NAME, "journal.db-wal", "journal.db-shm", LOCK])?;
        let (path, lock_path) = (folder.join(NAME), folder.join(LOCK));
        let create = |path: &Path| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
            options.custom_flags(no_link).open(path).map_err(|error| unusable(path, error))
        };
        let own = Arc::<OwnRows>::default();
        let is_shared = lock.is_some();
        let lock = match lock {
            // This is a duplicate of the descriptor that holds the lock. The lock is released when the last
            // duplicate is closed.
            Some(lock) => {
                own.keep(true);
                lock
            }
            None => {
                let lock = create(&lock_path)?;
                match lock_alone(&lock) {
                    Ok(()) => lock,
                    Err(rustix::io::Errno::WOULDBLOCK) => return Err(JournalError::InUse(path)),
                    Err(error) => return Err(unusable(&lock_path, error.into())),
                }
            }
        };
        // The file has the right mode from the start. SQLite gives the same mode to the files beside it.
        drop(create(&path)?);
        let sqlite = |error| JournalError::Sqlite(path.clone(), error);
        let connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
        prepare(&connection).map_err(sqlite)?;
        match version(&connection).map_err(sqlite)? {
            VERSION => {}
            version if !earlier::is_known(version) => return Err(JournalError::Version(path, version)),
            version if is_shared => return Err(JournalError::Earlier(path, version)),
            version => match earlier::convert(&connection, version, VERSION).map_err(sqlite)? {
                true => log::info!("{} is in the format of this version now", path.display()),
                false => return Err(JournalError::Damaged(path, "the checksum of a row is wrong")),
            },
        }
        usage::prepare(&connection).map_err(sqlite)?;
        client_rows::prepare(&connection).map_err(sqlite)?;
        Ok(Self { connection, path, lock, own })
    }

    /// Returns a duplicate of the descriptor that holds the lock.
    #[cfg(feature = "gateway")]
    pub(super) fn lock(&self) -> Result<File, JournalError> {
        self.lock.try_clone().map_err(|error| JournalError::Io(self.path.clone(), error))
    }

    /// Returns the rows that this process has written while another one writes too.
    pub(super) fn own_rows(&self) -> &Arc<OwnRows> {
        &self.own
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn sqlite(&self, error: rusqlite::Error) -> JournalError {
        JournalError::Sqlite(self.path.clone(), error)
    }

    /// Writes a batch completely or not at all. With `sync`, the batch and everything before it survive a
    /// power loss.
    pub(super) fn commit(&mut self, batch: &Batch, now: &Moment, sync: bool) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })?;
        let write = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !batch.grants.is_empty() {
            let mut insert =
                write.prepare("INSERT OR REPLACE INTO grants (id, until, blob) VALUES (?1, ?2, ?3)")?;
            for grant in &batch.grants {
                insert.execute(params![grant.id.cast_signed(), grant.until, grant.blob()])?;
            }
        }
        for id in &batch.ended {
            write.execute("DELETE FROM grants WHERE id = ?1", [id.cast_signed()])?;
        }
        for ClientRow { client, registration } in &batch.clients {
            match registration {
                Some(registration) => write.execute(
                    "INSERT OR REPLACE INTO clients (id, registration) VALUES (?1, ?2)",
                    params![client, registration],
                )?,
                None => write.execute("DELETE FROM clients WHERE id = ?1", [client])?,
            };
        }
        usage::write(&write, &batch.usage)?;
        client_rows::write(&write, &batch.registered)?;
        let mut own: Option<RangeInclusive<i64>> = None;
        for row in batch.rows() {
            write.execute(
                "INSERT INTO batches (kind, base, until, blob) VALUES (?1, ?2, ?3, ?4)",
                params![row.kind, row.base, row.until, row.blob],
            )?;
            let seq = write.last_insert_rowid();
            own = Some(own.map_or(seq, |own| *own.start())..=seq);
        }
        tick(&write, now)?;
        let added = own.map(|own| self.own.add(own));
        if let Err(error) = write.commit() {
            if added.is_some() {
                self.own.take_back();
            }
            return Err(error);
        }
        Ok(())
    }

    /// Writes the whole log into the database, and syncs it.
    pub(super) fn copy_log(&self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, "TRUNCATE")
    }

    /// Deletes rows that have no effect at `now`. Returns whether more of them are left.
    pub(super) fn compact(&mut self, now: i64) -> rusqlite::Result<bool> {
        let deleted = self.connection.execute(
            "DELETE FROM batches WHERE seq IN (SELECT seq FROM batches WHERE until <= ?1 LIMIT ?2)",
            params![now, COMPACT_ROWS],
        )?;
        self.connection.execute(
            "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE until <= ?1 LIMIT ?2)",
            params![now, COMPACT_ROWS],
        )?;
        self.connection.execute_batch(&format!("PRAGMA incremental_vacuum({COMPACT_PAGES})"))?;
        Ok(i64::try_from(deleted).is_ok_and(|deleted| deleted == COMPACT_ROWS))
    }

    /// Returns the last moment that was recorded.
    pub(super) fn last_tick(&self) -> rusqlite::Result<Option<Moment>> {
        last_tick(&self.connection)
    }

    /// Puts all times on the clock of `now`, by adding `shift` to them.
    pub(super) fn rebase(&mut self, shift: i64, now: &Moment) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let write = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if shift != 0 {
            write.execute("UPDATE batches SET base = base + ?1, until = until + ?1", [shift])?;
            write.execute("UPDATE grants SET until = until + ?1", [shift])?;
        }
        tick(&write, now)?;
        write.commit()
    }

    /// Removes all tokens, and everything that is stored about them.
    pub(super) fn drop_tokens(&mut self) -> rusqlite::Result<()> {
        let write = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write.execute("DELETE FROM batches WHERE kind IN (?1, ?2, ?3)", [ISSUED, REVOKED, EPOCH])?;
        write.execute("DELETE FROM grants", [])?;
        write.commit()
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // Another thread runs the checkpoint, so that no batch waits for it.
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
    if tables == 0 {
        // One transaction: if the process is killed here, the file stays empty.
        let create = format!("BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;");
        connection.execute_batch(&create)?;
    }
    Ok(())
}

/// Opens a database whose log is checkpointed from time to time.
pub(super) fn open_to_copy(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Copies the log into the database.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let is_busy: bool = connection.query_row(&sql, [], |row| row.get(0))?;
    let busy = || rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    if is_busy { Err(rusqlite::Error::SqliteFailure(busy(), None)) } else { Ok(()) }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn tick(connection: &Connection, now: &Moment) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO tick (one, boot_id, boot, wall, created) VALUES (1, ?1, ?2, ?3, ?3)
         ON CONFLICT (one) DO UPDATE SET boot_id = ?1, boot = ?2, wall = ?3",
        params![now.boot_id, now.boot, now.wall],
    )?;
    Ok(())
}

fn last_tick(connection: &Connection) -> rusqlite::Result<Option<Moment>> {
    connection
        .query_row("SELECT boot_id, boot, wall FROM tick", [], |row| {
            Ok(Moment { boot_id: row.get(0)?, boot: row.get(1)?, wall: row.get(2)? })
        })
        .optional()
}

/// Opens a journal for reading. Another process may have it open.
pub(super) fn open_to_read(folder: &Path) -> Result<Option<(Connection, PathBuf)>, JournalError> {
    let path = folder.join(NAME);
    if !path.try_exists().map_err(|error| JournalError::Io(path.clone(), error))? {
        return Ok(None);
    }
    let sqlite = |error| JournalError::Sqlite(path.clone(), error);
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sqlite)?;
    connection.busy_timeout(BUSY).map_err(sqlite)?;
    let version = version(&connection).map_err(sqlite)?;
    match version {
        VERSION => Ok(Some((connection, path))),
        version if earlier::is_known(version) => Ok(Some((connection, path))),
        // A gateway is creating the file at this moment, and the file is still empty.
        0 => Ok(None),
        version => Err(JournalError::Version(path, version)),
    }
}
