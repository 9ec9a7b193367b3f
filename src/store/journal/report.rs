//! Reports the content of a journal, and renames a damaged one.

use std::fs;
use std::path::{Path, PathBuf};
#[cfg(feature = "gateway")]
use std::time::Duration;

use rusqlite::ErrorCode;

#[cfg(feature = "gateway")]
use crate::store::journal::client_rows;
use crate::store::journal::error::JournalError;
use crate::store::journal::file::NAME;
#[cfg(feature = "gateway")]
use crate::store::journal::file::open_to_read;
#[cfg(feature = "gateway")]
use crate::store::journal::usage::{self, UsageRow};

/// The content of a journal.
#[cfg(feature = "gateway")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// The file.
    pub(crate) path: PathBuf,
    /// The bytes of the file and of its log.
    pub(crate) bytes: u64,
    /// The issued tokens in the file, including those that were revoked later.
    pub(crate) tokens: u64,
    /// The revoked tokens that have not expired.
    pub(crate) revoked: u64,
    /// The grants of the tokens.
    pub(crate) grants: u64,
    /// The ends of epochs of clients.
    pub(crate) epochs: u64,
    /// The used assertions.
    pub(crate) used: u64,
    /// The clients that have registered themselves.
    pub(crate) registered: u64,
    /// The client secrets whose use is recorded.
    pub(crate) secrets: u64,
    /// When the journal was begun, and when it was last written, since the Unix epoch.
    pub(crate) created: Duration,
    pub(crate) written: Duration,
}

/// Returns the content of the journal in a folder, or `None` if there is no journal. A running gateway may
/// have it open.
#[cfg(feature = "gateway")]
pub(crate) fn report(folder: &Path) -> Result<Option<Report>, JournalError> {
    use crate::store::journal::batch::{EPOCH, ISSUED, ISSUED_SIZE, REVOKED, REVOKED_SIZE, USED, USED_SIZE};

    let Some((connection, path)) = open_to_read(folder)? else { return Ok(None) };
    let query = || {
        let count = |sql: &str| -> rusqlite::Result<u64> {
            let counted: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(u64::try_from(counted.unwrap_or(0)).unwrap_or(0))
        };
        // The checksum in front of each blob takes four bytes.
        let entries = |kind: u8, size: usize| {
            count(&format!("SELECT SUM((LENGTH(blob) - 4) / {size}) FROM batches WHERE kind = {kind}"))
        };
        let millis = |column: &str| count(&format!("SELECT {column} FROM tick")).map(Duration::from_millis);
        Ok(Report {
            path: path.clone(),
            bytes: ["", "-wal"].iter().map(|suffix| size(&path, suffix)).sum(),
            tokens: entries(ISSUED, ISSUED_SIZE)?,
            revoked: entries(REVOKED, REVOKED_SIZE)?,
            grants: count("SELECT COUNT(*) FROM grants")?,
            epochs: count(&format!("SELECT COUNT(*) FROM batches WHERE kind = {EPOCH}"))?,
            used: entries(USED, USED_SIZE)?,
            registered: client_rows::count(&connection)?,
            secrets: match usage::is_there(&connection)? {
                true => count("SELECT COUNT(*) FROM secret_usage WHERE late = 0")?,
                false => 0,
            },
            created: millis("created")?,
            written: millis("wall")?,
        })
    };
    query().map(Some).map_err(|error| JournalError::Sqlite(path.clone(), error))
}

/// Returns the use of secrets in the journal in a folder, or `None` if there is no journal. A running gateway
/// may have it open.
#[cfg(feature = "gateway")]
pub(crate) fn usage(folder: &Path) -> Result<Option<Vec<UsageRow>>, JournalError> {
    let Some((connection, path)) = open_to_read(folder)? else { return Ok(None) };
    usage::rows(&connection).map(Some).map_err(|error| JournalError::Sqlite(path, error))
}

/// Returns the table of registered clients in the journal in a folder. It is empty without a journal. A
/// running gateway may have it open.
#[cfg(feature = "gateway")]
pub(crate) fn registered_rows(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
    let Some((connection, path)) = open_to_read(folder)? else { return Ok(Vec::new()) };
    client_rows::rows(&connection).map(|rows| rows.rows).map_err(|error| JournalError::Sqlite(path, error))
}

#[cfg(feature = "gateway")]
fn size(path: &Path, suffix: &str) -> u64 {
    fs::metadata(beside(path, suffix)).map_or(0, |metadata| metadata.len())
}

/// Returns the path of a file that SQLite keeps beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns whether an error means that the content of the file is damaged, rather than that the file cannot
/// be accessed.
pub(super) fn is_damage(error: &JournalError) -> bool {
    match error {
        JournalError::Damaged(..) => true,
        JournalError::Sqlite(_, error) => match error {
            rusqlite::Error::SqliteFailure(error, _) => {
                matches!(
                    error.code,
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
                )
            }
            // The value has a type that this program never writes.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => true,
            _ => false,
        },
        _ => false,
    }
}

/// Renames the files of a damaged journal. An earlier damaged journal is replaced, so that damage does not
/// fill the disk.
pub(super) fn set_aside(folder: &Path) -> Result<PathBuf, JournalError> {
    let path = folder.join(NAME);
    let aside = folder.join(format!("{NAME}.damaged"));
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (beside(&path, suffix), beside(&aside, suffix));
        let _ = fs::remove_file(&to);
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(JournalError::Io(from, error));
            }
            _ => {}
        }
    }
    Ok(aside)
}
