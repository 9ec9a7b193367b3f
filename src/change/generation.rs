//! Ends the tokens of a client in a way that every gateway detects.
//!
//! A gateway compares the file with its running configuration. If a client is disabled and enabled again, or
//! removed and added again, before the gateway reads the file, the gateway sees no difference and keeps the
//! tokens. So each of these changes also changes the client's `token_generation`.

use std::time::{SystemTime, UNIX_EPOCH};

use toml_edit::{Item, TableLike, Value};

use super::conflict::Conflict;
use super::document::Document;
use super::table::set;

/// The name of the key in a client's table.
pub(super) const KEY: &str = "token_generation";

impl Document {
    /// Ends all tokens of a client that were issued before this change.
    pub(super) fn end_tokens(&mut self, id: &str, now: SystemTime) -> Result<(), Conflict> {
        self.turn_to_client(id)?;
        let inline = self.is_inline(id);
        advance(self.client(id)?, inline, now);
        Ok(())
    }
}

/// Returns the generation of a new client: the time in milliseconds, so that a client that is removed and
/// added again does not get an earlier number.
pub(super) fn beginning(now: SystemTime) -> i64 {
    let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// Writes the next generation into a client: the time, or the old generation plus one if that is greater.
pub(super) fn advance(client: &mut dyn TableLike, inline: bool, now: SystemTime) {
    let before = client.get(KEY).and_then(Item::as_integer);
    let next = before.map_or(0, |before| before.saturating_add(1)).max(beginning(now));
    set(client, inline, KEY, Value::from(next));
}
