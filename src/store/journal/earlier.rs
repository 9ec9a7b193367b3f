//! Files in an earlier version of the format, which are converted when they are opened.

use rusqlite::{Connection, Row, params};

use crate::store::journal::batch::{GrantRow, renew};

/// The version that has no table of clients, so that the tokens in it end.
const WITHOUT_CLIENTS: i64 = 1;
/// The version whose checksums do not cover the times of a row, nor the grants.
const WITHOUT_TIMES: i64 = 2;

/// How many rows are in memory at the same time.
const AT_ONCE: i64 = 256;

const CLIENTS: &str = "CREATE TABLE clients (id TEXT PRIMARY KEY, registration BLOB NOT NULL) WITHOUT ROWID;";

/// Returns whether [`convert`] can convert a version.
pub(super) fn is_known(version: i64) -> bool {
    matches!(version, WITHOUT_CLIENTS | WITHOUT_TIMES)
}

/// Converts a file of the version `from` to the present one, which is `to`. Returns `false`, and changes
/// nothing, if a row is damaged.
pub(super) fn convert(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<bool> {
    // One transaction: if the process is killed here, the file stays as it was.
    let write = connection.unchecked_transaction()?;
    if from == WITHOUT_CLIENTS {
        write.execute_batch(CLIENTS)?;
    }
    if !convert_batches(&write)? {
        return Ok(false);
    }
    convert_grants(&write)?;
    write.pragma_update(None, "user_version", to)?;
    write.commit()?;
    Ok(true)
}

/// Returns whether no row is damaged.
fn convert_batches(connection: &Connection) -> rusqlite::Result<bool> {
    let mut select = connection
        .prepare("SELECT seq, kind, base, until, blob FROM batches WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut update = connection.prepare("UPDATE batches SET blob = ?2 WHERE seq = ?1")?;
    let read = |row: &Row<'_>| -> rusqlite::Result<(i64, Option<Vec<u8>>)> {
        let blob = renew(row.get(1)?, row.get(2)?, row.get(3)?, row.get_ref(4)?.as_blob()?);
        Ok((row.get(0)?, blob))
    };
    let mut last = i64::MIN;
    loop {
        let rows: Vec<_> = select.query_map([last, AT_ONCE], read)?.collect::<Result<_, _>>()?;
        let Some((seq, _)) = rows.last() else { return Ok(true) };
        last = *seq;
        for (seq, blob) in rows {
            let Some(blob) = blob else { return Ok(false) };
            update.execute(params![seq, blob])?;
        }
    }
}

fn convert_grants(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare("SELECT id, until, blob FROM grants")?;
    let read = |row: &Row<'_>| -> rusqlite::Result<GrantRow> {
        let id: i64 = row.get(0)?;
        Ok(GrantRow { id: id.cast_unsigned(), until: row.get(1)?, bytes: row.get(2)? })
    };
    let grants: Vec<GrantRow> = select.query_map([], read)?.collect::<Result<_, _>>()?;
    let mut update = connection.prepare("UPDATE grants SET blob = ?2 WHERE id = ?1")?;
    for grant in grants {
        update.execute(params![grant.id.cast_signed(), grant.blob()])?;
    }
    Ok(())
}
