//! The table of registered clients in the engine, as the gate uses it.

use std::sync::Arc;

use crate::store::redis::RedisStore;
use crate::store::redis::clients::{catch_up, find, query, script};
use crate::store::token_store::{ClientTable, OnRowChange, Pending, RowChange, StoreError};

/// The largest number that Lua counts exactly.
const MOST: u64 = 1 << 53;

/// Writes and removes rows.
const WRITE: &str = r"
for i = 1, #ARGV, 3 do
  if ARGV[i + 1] == '+' then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return redis.call('INCR', KEYS[2])
";
/// Replaces a row, unless it has changed.
const REPLACE: &str = r"
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('INCR', KEYS[2])
return 1
";
/// Adds one to a number, unless that is at its limit.
const COUNT: &str = r"
local count = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if count >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', count + 1))
redis.call('INCR', KEYS[2])
return 1
";

impl ClientTable for RedisStore {
    fn rows(&self) -> Vec<(String, Vec<u8>)> {
        self.shared.clients.memory.all()
    }

    fn known(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.clients.memory.get(key)
    }

    fn write(&self, changes: Vec<RowChange>) -> Pending<'_, Result<(), StoreError>> {
        let shared = Arc::clone(&self.shared);
        self.begin(async move {
            let mut command = script(&shared, WRITE);
            for (key, value) in &changes {
                match value {
                    Some(value) => command.arg(key).arg("+").arg(value.as_slice()),
                    None => command.arg(key).arg("-").arg(""),
                };
            }
            query::<u64>(&shared, &command).await?;
            shared.clients.memory.apply(&changes);
            shared.clients.changed.notify_one();
            Ok(())
        })
    }

    fn count_up(&self, key: &str, most: u64) -> Pending<'_, Result<bool, StoreError>> {
        let (shared, key) = (Arc::clone(&self.shared), key.to_owned());
        self.begin(async move {
            let mut command = script(&shared, COUNT);
            command.arg(&key).arg(most.min(MOST));
            let counted = query::<u64>(&shared, &command).await? == 1;
            Ok(counted)
        })
    }

    fn replace(&self, key: &str, before: Vec<u8>, after: Vec<u8>) -> Pending<'_, Result<bool, StoreError>> {
        let (shared, key) = (Arc::clone(&self.shared), key.to_owned());
        self.begin(async move {
            let mut command = script(&shared, REPLACE);
            command.arg(&key).arg(before).arg(after.as_slice());
            let replaced = query::<u64>(&shared, &command).await? == 1;
            if replaced {
                shared.clients.memory.apply(&[(key, Some(after))]);
                shared.clients.changed.notify_one();
            }
            Ok(replaced)
        })
    }

    fn find_row(&self, key: &str) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>> {
        let (shared, key) = (Arc::clone(&self.shared), key.to_owned());
        self.begin(async move { find(&shared, &key).await })
    }

    fn catch_up(&self) -> Pending<'_, Result<(), StoreError>> {
        let shared = Arc::clone(&self.shared);
        self.begin(async move { catch_up(&shared).await })
    }

    fn has_others(&self) -> bool {
        true
    }

    fn on_change(&self, on_change: OnRowChange) {
        // The store belongs to the first gate.
        let _ = self.shared.clients.on_change.set(on_change);
    }
}
