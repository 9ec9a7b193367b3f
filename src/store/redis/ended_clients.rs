//! Forgets the epochs of registered clients that are gone. The id of such a client never comes again, so its
//! epoch matters only until its last token has expired.
//!
//! The engine stores no time with an epoch. A first sweep writes down when it has found the epoch without a
//! client, and a later one removes the epoch.

use std::sync::Arc;
use std::time::Duration;

use crate::store::redis::clients::query;
use crate::store::redis::shared::Shared;
use crate::store::token_store::StoreError;

/// How often the epochs are swept.
const EVERY: Duration = Duration::from_secs(3_600);
/// How long an epoch is kept after its client is gone: longer than any token can live
/// (`token_lifetime` is at most 30 days).
const KEEP: Duration = Duration::from_secs(31 * 86_400);
/// About how many epochs one call of the script looks at, so that the engine is not busy for long.
const AT_ONCE: usize = 500;
/// The pause between two calls.
const PAUSE: Duration = Duration::from_millis(50);
/// The wait before another attempt, if the engine cannot be reached.
const RETRY: Duration = Duration::from_secs(60);

/// Looks at some epochs, and returns where to go on: `0` at the end.
const SWEEP: &str = r"
local time = redis.call('TIME')
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'MATCH', 'reg_*', 'COUNT', ARGV[3])
for i = 1, #found[2], 2 do
  local id, epoch = found[2][i], found[2][i + 1]
  if redis.call('HEXISTS', KEYS[2], ARGV[4] .. id) == 0 then
    local noted, since = string.match(redis.call('HGET', KEYS[3], id) or '', '^(%d+) (%d+)$')
    if noted ~= epoch then redis.call('HSET', KEYS[3], id, epoch .. ' ' .. time[1])
    elseif time[1] - since > tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], id) end
  end
end
return found[1]
";
/// Looks at some of the notes, and removes those that are about no epoch any more.
const TIDY: &str = r"
local found = redis.call('HSCAN', KEYS[3], ARGV[1], 'COUNT', ARGV[3])
for i = 1, #found[2], 2 do
  local id = found[2][i]
  if redis.call('HEXISTS', KEYS[1], id) == 0 or redis.call('HEXISTS', KEYS[2], ARGV[4] .. id) == 1 then
    redis.call('HDEL', KEYS[3], id)
  end
end
return found[1]
";

/// Sweeps the epochs at the start and then each hour, until the store ends.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let swept = async {
            whole(&shared, SWEEP).await?;
            whole(&shared, TIDY).await
        };
        let next = if swept.await.is_ok() { EVERY } else { RETRY };
        tokio::time::sleep(next).await;
    }
}

/// Runs a script over a whole hash.
async fn whole(shared: &Shared, script: &str) -> Result<(), StoreError> {
    let keys = &shared.keys;
    let mut cursor = "0".to_owned();
    loop {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(3).arg(&keys.epochs).arg(&keys.clients).arg(&keys.ended);
        command.arg(&cursor).arg(KEEP.as_secs()).arg(AT_ONCE).arg(crate::store::client_table::CLIENT);
        cursor = query(shared, &command).await?;
        if cursor == "0" {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
