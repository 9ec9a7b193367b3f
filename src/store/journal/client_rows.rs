//! The table of clients that have registered themselves, in the file.

use rusqlite::{Connection, OptionalExtension as _, params};

#[cfg(feature = "gateway")]
use crate::store::client_table::CLIENT;
use crate::store::token_store::RowChange;

/// The table. Versions without it ignore it, so the version of the format does not change.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS registered (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
";
/// The length of the checksum in front of each value.
const CHECKSUM: usize = 4;

/// Creates the table if it does not exist.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)
}

/// Writes rows, within a transaction.
pub(super) fn write(connection: &Connection, changes: &[RowChange]) -> rusqlite::Result<()> {
    for (key, value) in changes {
        match value {
            Some(value) => connection.execute(
                "INSERT OR REPLACE INTO registered (key, value) VALUES (?1, ?2)",
                params![key, seal(key, value)],
            )?,
            None => connection.execute("DELETE FROM registered WHERE key = ?1", [key])?,
        };
    }
    Ok(())
}

/// The rows of the table.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<(String, Vec<u8>)>,
    /// The number of rows whose checksum is wrong.
    pub(super) damaged: usize,
}

/// Returns whether the table exists. The journal of an earlier version has no such table until a gateway opens
/// it.
fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'registered'";
    connection.query_row(tables, [], |row| row.get::<_, i64>(0)).map(|tables| tables > 0)
}

/// Returns the number of clients in the table.
#[cfg(feature = "gateway")]
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    if !is_there(connection)? {
        return Ok(0);
    }
    let clients = format!("{CLIENT}*");
    let count = "SELECT COUNT(*) FROM registered WHERE key GLOB ?1";
    let count: i64 = connection.query_row(count, [clients], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns all rows.
pub(super) fn rows(connection: &Connection) -> rusqlite::Result<Rows> {
    let mut all = Rows::default();
    if !is_there(connection)? {
        return Ok(all);
    }
    let mut statement = connection.prepare("SELECT key, value FROM registered ORDER BY key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        match open(&key, row.get_ref(1)?.as_blob()?) {
            Some(value) => all.rows.push((key, value.to_vec())),
            None => all.damaged += 1,
        }
    }
    Ok(all)
}

/// Returns the value of one row.
pub(super) fn row(connection: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let sealed: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM registered WHERE key = ?1", [key], |row| row.get(0))
        .optional()?;
    Ok(sealed.and_then(|sealed| open(key, &sealed).map(<[u8]>::to_vec)))
}

fn seal(key: &str, value: &[u8]) -> Vec<u8> {
    [&checksum(key, value)[..], value].concat()
}

fn open<'a>(key: &str, sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, value) = sealed.split_at_checked(CHECKSUM)?;
    (sum == checksum(key, value)).then_some(value)
}

/// The CRC-32 of the key and the value.
fn checksum(key: &str, value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&[0]);
    hasher.update(value);
    hasher.finalize().to_be_bytes()
}
