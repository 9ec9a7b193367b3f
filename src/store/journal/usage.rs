//! The use of client secrets, which the journal stores for the gateway. The journal does not interpret the
//! entries.

use rusqlite::{Connection, params};

/// The table. Versions without it ignore it, so the version of the format does not change.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS secret_usage (
        client TEXT NOT NULL,
        secret TEXT NOT NULL,
        late INTEGER NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (client, secret, late)
    ) WITHOUT ROWID;
";

/// The use of one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "gateway"),
    allow(dead_code, reason = "only the gateway records the use of secrets")
)]
pub(crate) struct UsageRow {
    /// The client's id.
    pub(crate) client: String,
    /// The secret's id.
    pub(crate) secret: String,
    /// Whether the row counts uses from after another process took over.
    pub(crate) is_late: bool,
    /// The recorded use. `None` deletes the row.
    pub(crate) entry: Option<String>,
}

/// Creates the table if it does not exist.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLE)
}

/// Writes rows, within a transaction.
pub(super) fn write(connection: &Connection, rows: &[UsageRow]) -> rusqlite::Result<()> {
    for UsageRow { client, secret, is_late, entry } in rows {
        match entry {
            Some(entry) => connection.execute(
                "INSERT OR REPLACE INTO secret_usage (client, secret, late, entry) VALUES (?1, ?2, ?3, ?4)",
                params![client, secret, is_late, entry],
            )?,
            None => connection.execute(
                "DELETE FROM secret_usage WHERE client = ?1 AND secret = ?2 AND late = ?3",
                params![client, secret, is_late],
            )?,
        };
    }
    Ok(())
}

/// Returns all rows.
#[cfg(feature = "gateway")]
pub(super) fn rows(connection: &Connection) -> rusqlite::Result<Vec<UsageRow>> {
    if !is_there(connection)? {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare("SELECT client, secret, late, entry FROM secret_usage ORDER BY client, secret")?;
    let rows = statement.query_map([], |row| {
        let (client, secret, is_late, entry) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(UsageRow { client, secret, is_late, entry: Some(entry) })
    })?;
    rows.collect()
}

/// Returns whether the table exists. The journal of an earlier version has no such table until a gateway
/// opens it.
#[cfg(feature = "gateway")]
pub(super) fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'secret_usage'",
        [],
        |row| row.get::<_, i64>(0).map(|tables| tables > 0),
    )
}
