//! The registered clients in an engine, for commands that run without a gate.

use crate::store::engine::RedisOptions;
use crate::store::redis::connect;
use crate::store::redis::error::EngineError;
use crate::store::redis::keys::Keys;
use crate::tasks::{block_on, runtime};

/// A row of the table: its key and its value.
type Row = (String, Vec<u8>);

/// Reads all rows over a short connection of its own. Nothing is written.
///
/// # Errors
/// The reason why the engine does not respond, as a message for operators.
pub(crate) fn registered_rows(options: &RedisOptions) -> Result<Vec<Row>, String> {
    let runtime = runtime().map_err(|error| error.to_string())?;
    let rows = block_on(&runtime, rows(options));
    rows.map_err(|error| format!("the shared store at {} cannot be read: {error}", options.topology))
}

async fn rows(options: &RedisOptions) -> Result<Vec<Row>, EngineError> {
    let keys = Keys::new(&options.prefix);
    // The table has the hash tag of the log, so that the server of the log has it.
    let primary = connect::primary(options, &keys).await?;
    let mut connection = connect::open(&primary.address, options.tls.as_ref(), &options.login, None).await?;
    let mut command = redis::cmd("HGETALL");
    command.arg(&keys.clients);
    Ok(command.query_async(&mut connection).await?)
}
