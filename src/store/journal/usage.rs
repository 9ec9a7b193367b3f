//! The use of client secrets, which the journal keeps for the gateway. What an entry says is not its business.

use rusqlite::{Connection, params};

/// The table. A version without it ignores it, so it needs no version of its own.
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
    /// Whether it is the use that a process has counted since another one took over from it.
    pub(crate) is_late: bool,
    /// What is known. `None` deletes the row.
    pub(crate) entry: Option<String>,
}

/// Makes the table, if it is not there.
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

/// Returns whether the table is there. A journal of an earlier version has none until a gateway opens it.
#[cfg(feature = "gateway")]
pub(super) fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'secret_usage'",
        [],
        |row| row.get::<_, i64>(0).map(|tables| tables > 0),
    )
}
