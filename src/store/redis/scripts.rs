//! Lua scripts, which the engine executes atomically. All keys of a script are on one node.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue as _, Value};
use tokio::sync::oneshot;

use crate::oauth::client::ClientId;
use crate::oauth::token::TokenDigest;
use crate::store::redis::entry::{Position, revocation};
use crate::store::redis::error::EngineError;
use crate::store::redis::keys::Keys;

/// The most entries that one read returns.
const ENTRIES: usize = 1_000;
/// The approximate number of entries that the log keeps. A gateway that misses more entries at once clears
/// its memory.
const LOG_LENGTH: u64 = 100_000;
/// How long a gateway that does not read the log stays in the list, in milliseconds.
const LISTED: u64 = 60_000;

/// Reads the log, and records that this gateway has done so. The script writes on purpose: a primary that has
/// lost its replicas and must not accept writes (`min-replicas-to-write`) then does not respond either.
const READ: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', now) .. ' ' .. ARGV[3])
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[4])
local gateways = redis.call('HGETALL', KEYS[2])
for i = 1, #gateways, 2 do
  local seen = tonumber(string.match(gateways[i + 1], '^%d+') or '0')
  if now - seen > tonumber(ARGV[5]) then redis.call('HDEL', KEYS[2], gateways[i]) end
end
return { string.format('%.0f', now), last[1] and last[1][1] or '', entries, gateways }
";

/// Appends entries to the log, and advances epochs. The first number of an entry's id is the time at which
/// the log was created; the second number counts the entries.
const APPEND: &str = r"
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local begun
if last[1] then
  begun = string.match(last[1][1], '^%d+')
else
  local time = redis.call('TIME')
  begun = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
local epochs = {}
for i = 2, #ARGV, 3 do
  local kind, entry = ARGV[i], nil
  if kind == 'r' then
    entry = 'r' .. ARGV[i + 1]
    epochs[#epochs + 1] = 0
  else
    local known = tonumber(redis.call('HGET', KEYS[2], ARGV[i + 1]) or '0')
    local epoch = tonumber(ARGV[i + 2])
    if kind == 'end' and epoch > 0 then epoch = math.max(epoch, known + 1) else epoch = math.max(epoch, known) end
    redis.call('HSET', KEYS[2], ARGV[i + 1], string.format('%.0f', epoch))
    entry = string.format('e%.0f ', epoch) .. ARGV[i + 1]
    epochs[#epochs + 1] = epoch
  end
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], begun .. '-*', 'e', entry)
end
return epochs
";

/// Returns the end of the log, and the epochs of all clients at that position.
const SNAPSHOT: &str = r"
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
return { last[1] and last[1][1] or '', redis.call('HGETALL', KEYS[2]) }
";

/// The result of a read of the log.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The time of the engine, in milliseconds.
    pub(super) now: u64,
    /// The end of the log.
    pub(super) last: Option<Position>,
    /// The entries after the requested position.
    pub(super) entries: Vec<(Position, String)>,
    /// The gateways by name, each with the time of its last read and its description.
    pub(super) gateways: Vec<(String, u64, String)>,
}

/// Reads the entries after `after`.
pub(super) async fn read(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    after: Option<Position>,
    (name, about): (&str, &str),
) -> Result<Read, EngineError> {
    let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
    let mut command = eval(READ, &[&keys.log, &keys.gateways]);
    command.arg(from).arg(name).arg(about).arg(ENTRIES).arg(LISTED);
    type Found = (String, String, Vec<(String, Vec<String>)>, Vec<(String, String)>);
    let (now, last, entries, gateways): Found = command.query_async(connection).await?;
    let mut read = Read { now: now.parse().unwrap_or(0), last: Position::read(&last), ..Read::default() };
    for (id, fields) in entries {
        // An entry that no gateway has written counts as a gap.
        let Some(position) = Position::read(&id) else { continue };
        read.entries.push((position, fields.into_iter().nth(1).unwrap_or_default()));
    }
    for (name, written) in gateways {
        let (seen, about) = written.split_once(' ').unwrap_or((&written, ""));
        read.gateways.push((name, seen.parse().unwrap_or(0), about.to_owned()));
    }
    Ok(read)
}

/// An entry to append to the log.
#[derive(Debug, Clone)]
pub(super) enum Addition {
    /// A token was revoked. Its remaining lifetime was this many milliseconds.
    Revoked(TokenDigest, u64),
    /// The tokens of the client that were issued until now end, and those of epochs before this one.
    End(ClientId, u32),
    /// The epoch of the client is at least this one.
    Epoch(ClientId, u32),
}

/// An entry to append, and the caller that waits for it.
pub(super) struct Job {
    pub(super) addition: Addition,
    /// The sender that receives the epoch of the client, if the entry is about a client.
    pub(super) done: oneshot::Sender<u32>,
}

/// Appends entries to the log. Returns the epoch for each entry: 0 for an entry about a token.
pub(super) async fn append(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    additions: impl Iterator<Item = &Addition>,
) -> Result<Vec<u32>, EngineError> {
    let mut command = eval(APPEND, &[&keys.log, &keys.epochs]);
    command.arg(LOG_LENGTH);
    for addition in additions {
        match addition {
            Addition::Revoked(token, left) => command.arg("r").arg(revocation(token, *left)).arg(""),
            Addition::End(client, epoch) => command.arg("end").arg(client.as_str()).arg(*epoch),
            Addition::Epoch(client, epoch) => command.arg("is").arg(client.as_str()).arg(*epoch),
        };
    }
    Ok(command.query_async(connection).await?)
}

/// Returns the end of the log, and the epochs of all clients at that position.
pub(super) async fn snapshot(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
) -> Result<(Option<Position>, Vec<(String, u32)>), EngineError> {
    let found: Vec<Value> = eval(SNAPSHOT, &[&keys.log, &keys.epochs]).query_async(connection).await?;
    let [last, epochs] = &found[..] else { return Err(EngineError::NotAnEngine) };
    let last = String::from_redis_value_ref(last)?;
    Ok((Position::read(&last), Vec::from_redis_value_ref(epochs)?))
}

/// Makes a call of a script. The engine caches the compiled script.
fn eval(script: &str, keys: &[&String]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    command
}

/// The state of the log, as a read found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuity {
    /// The entries follow the position without a gap.
    Continues,
    /// Entries are missing.
    Trimmed,
    /// The log was created again, or lacks entries that were read before.
    Replaced,
}

impl Read {
    /// Returns whether the entries follow `position` without a gap.
    pub(super) fn continuity(&self, position: Option<Position>) -> Continuity {
        let (next, log) = match (position, self.last) {
            (None, None) => return Continuity::Continues,
            (Some(_), None) => return Continuity::Replaced,
            (None, Some(last)) => (0, last.log),
            (Some(position), Some(last)) if last.log != position.log || last.entry < position.entry => {
                return Continuity::Replaced;
            }
            (Some(position), Some(last)) if last.entry == position.entry => return Continuity::Continues,
            (Some(position), Some(_)) => (position.entry + 1, position.log),
        };
        let gapless = (next..).zip(&self.entries).all(|(entry, (at, _))| *at == Position { log, entry });
        if gapless && !self.entries.is_empty() { Continuity::Continues } else { Continuity::Trimmed }
    }

    /// Returns how many entries were not read yet.
    pub(super) fn behind(&self) -> u64 {
        match (self.entries.last(), self.last) {
            (Some((read, _)), Some(last)) => last.entry.saturating_sub(read.entry),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: u64, entries: std::ops::Range<u64>, last: u64) -> Read {
        let position = |entry| Position { log, entry };
        let entries = entries.map(|entry| (position(entry), String::new())).collect();
        Read { last: Some(position(last)), entries, ..Read::default() }
    }

    #[test]
    fn a_gap_and_another_log_are_noticed() {
        use Continuity::{Continues, Replaced, Trimmed};
        let at = |log, entry| Some(Position { log, entry });
        let empty = Read::default();
        assert_eq!(empty.continuity(None), Continues, "nothing was ever written");
        assert_eq!(empty.continuity(at(7, 3)), Replaced, "everything was deleted");
        assert_eq!(read(7, 0..3, 2).continuity(None), Continues, "the first entries");
        assert_eq!(read(7, 2..3, 2).continuity(None), Trimmed, "the first entries are gone");
        assert_eq!(read(7, 0..0, 3).continuity(at(7, 3)), Continues, "nothing new");
        assert_eq!(read(7, 4..6, 5).continuity(at(7, 3)), Continues);
        assert_eq!(read(7, 5..6, 5).continuity(at(7, 3)), Trimmed);
        assert_eq!(read(7, 0..0, 5).continuity(at(7, 3)), Trimmed, "deleted entry by entry");
        assert_eq!(read(7, 0..0, 2).continuity(at(7, 3)), Replaced, "the log went back");
        assert_eq!(read(8, 4..9, 8).continuity(at(7, 3)), Replaced, "the log was begun again");
        let mut hole = read(7, 4..8, 7);
        hole.entries.remove(1);
        assert_eq!(hole.continuity(at(7, 3)), Trimmed, "an entry is missing in between");
        assert_eq!(read(7, 4..6, 9).behind(), 4);
    }
}
