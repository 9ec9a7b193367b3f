//! The table of registered clients in the engine: a hash, and a number that grows with each change.
//!
//! Each gateway holds the table in memory, and reads it again when the number has changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, FromRedisValue};

use crate::oauth::client::ClientId;
use crate::store::client_table::client_key;
use crate::store::redis::connect::{Link, PATIENCE};
use crate::store::redis::error::EngineError;
use crate::store::redis::shared::Shared;
use crate::store::stored::is_registered;
use crate::store::token_store::StoreError;

/// How often the number is read without a notification.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The shortest time between two reads of the number. Requests that fail cause reads, too.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns the number of changes and all rows.
const ALL: &str = r"
return { redis.call('GET', KEYS[2]) or '0', redis.call('HGETALL', KEYS[1]) }
";
/// Returns the number of changes and one row.
const ONE: &str = r"
return { redis.call('GET', KEYS[2]) or '0', redis.call('HGET', KEYS[1], ARGV[1]) }
";
/// Brings back what an engine has lost: new rows, changed rows and removed rows. The gateway that has seen the
/// most changes wins, and the others read what it has written.
const RESTORE: &str = r"
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('SET', KEYS[2], ARGV[1])
return 1
";

/// Reads the table when it has changed, until the store ends.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let _ = tokio::time::timeout(LOOK_EVERY, shared.clients.changed.notified()).await;
        let Ok(Ok(link)) = tokio::time::timeout(PATIENCE, shared.link()).await else { continue };
        let look = shared.clients.looks.begin();
        match follow(&shared, &link).await {
            Ok(true) => shared.clients.looks.finish(look),
            Ok(false) => shared.clients.changed.notify_one(),
            Err(error) => {
                log::debug!("the registered clients cannot be read from the shared store: {error}");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads the number, and the table if it has changed. Returns whether memory has what the engine had.
async fn follow(shared: &Shared, link: &Link) -> Result<bool, EngineError> {
    let mut version = redis::cmd("GET");
    version.arg(&shared.keys.clients_version);
    let now = link.data.clone().query::<Option<u64>>(&version).await?.unwrap_or(0);
    if now == shared.clients.seen.load(Ordering::Relaxed) {
        return Ok(true);
    }
    load(shared, link).await
}

/// Waits until memory has what the engine has at the time of the call. All callers share the next read.
pub(super) async fn catch_up(shared: &Shared) -> Result<(), StoreError> {
    let next = shared.clients.looks.next();
    shared.clients.changed.notify_one();
    tokio::time::timeout(PATIENCE, next).await.map_err(|_| StoreError::Unavailable)
}

/// Reads the whole table into memory. Returns `false` if the engine has lost changes, which it gets back first.
pub(super) async fn load(shared: &Shared, link: &Link) -> Result<bool, EngineError> {
    let mut data = link.data.clone();
    let reading = shared.clients.read();
    let (version, rows): (u64, Vec<(String, Vec<u8>)>) = data.query(&script(shared, ALL)).await?;
    if reading.shows_loss(version) {
        // A failover or a restart has lost changes.
        let mut restore = script(shared, RESTORE);
        restore.arg(reading.seen);
        for (key, value) in &reading.before {
            restore.arg(key).arg(value.as_slice());
        }
        let _: u64 = data.query(&restore).await?;
        shared.clients.seen.store(0, Ordering::Relaxed);
        return Ok(false);
    }
    reading.finish(version, rows);
    Ok(true)
}

/// Reads a client that another gateway has registered, before its token is judged.
pub(super) async fn meet(shared: &Shared, client: &ClientId) -> Result<(), StoreError> {
    let key = client_key(client.as_str());
    if is_registered(client) && shared.clients.memory.get(&key).is_none() {
        find(shared, &key).await?;
    }
    Ok(())
}

/// Reads one row.
pub(super) async fn find(shared: &Shared, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut command = script(shared, ONE);
    command.arg(key);
    let (version, found): (u64, Option<Vec<u8>>) = query(shared, &command).await?;
    if let Some(value) = found {
        shared.clients.found(version, key, value);
    }
    Ok(shared.clients.memory.get(key))
}

/// Makes a call of a script on the table.
pub(super) fn script(shared: &Shared, script: &str) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(2).arg(&shared.keys.clients).arg(&shared.keys.clients_version);
    command
}

/// Runs a command on the table.
pub(super) async fn query<T: FromRedisValue>(shared: &Shared, command: &Cmd) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(PATIENCE, shared.query(command)).await;
    answer.unwrap_or(Err(StoreError::Unavailable))
}
