//! Changes of `[token_service.registration]`: initial access tokens, and registered clients that are disabled
//! or removed.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use toml_edit::{Array, Datetime, Item, Value};

use super::conflict::{Conflict, Kind};
use super::document::{Document, find};
use super::table::set;
use crate::oauth::registration::RegistrationToken;
use crate::utc;

/// The table.
const TABLE: &[&str] = &["token_service", "registration"];
/// The table of the initial access tokens.
const TOKENS: &[&str] = &["token_service", "registration", "tokens"];
const DISABLED: &str = "disabled_clients";
const REMOVED: &str = "removed_clients";

/// An initial access token to be added. Only its digest is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    pub(crate) name: String,
    /// `sha256:` and the SHA-256 of the token in base64url.
    pub(crate) digest: String,
    /// The template that bounds what is registered with it.
    pub(crate) template: String,
    /// When it expires, in seconds since 1970. `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// How many clients can be registered with it. `None` is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_uses: Option<u32>,
}

/// What becomes of a registered client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RegisteredState {
    /// It is refused, with all its tokens.
    Disabled,
    /// It is accepted again.
    Enabled,
    /// It is removed for good.
    Removed,
}

impl Document {
    /// Adds an initial access token.
    pub(super) fn add_initial_token(&mut self, token: &NewToken) -> Result<(), Conflict> {
        let path = |key: &str| Conflict::Value(format!("{}.{}.{key}", TOKENS.join("."), token.name));
        self.turn_to_registration()?;
        if self.roots().any(|root| is_in(find(root, TOKENS), &token.name)) {
            return Err(Conflict::Exists(Kind::InitialToken, token.name.clone()));
        }
        RegistrationToken::from_text(&token.digest).ok_or_else(|| path("digest"))?;
        let mut entries = vec![
            ("digest".to_owned(), Value::from(token.digest.as_str())),
            ("template".to_owned(), Value::from(token.template.as_str())),
        ];
        if let Some(expires) = token.expires {
            let at = UNIX_EPOCH.checked_add(Duration::from_secs(expires)).ok_or_else(|| path("expires"))?;
            let date: Datetime = utc::at(at).to_string().parse().map_err(|_| path("expires"))?;
            entries.push(("expires".to_owned(), Value::from(date)));
        }
        if let Some(max_uses) = token.max_uses {
            entries.push(("max_uses".to_owned(), Value::from(i64::from(max_uses))));
        }
        self.add_table(TOKENS, &token.name, entries)
    }

    /// Removes an initial access token.
    pub(super) fn remove_initial_token(&mut self, name: &str) -> Result<(), Conflict> {
        if !self.roots().any(|root| is_in(find(root, TOKENS), name)) {
            return Err(Conflict::Missing(Kind::InitialToken, name.to_owned(), String::new()));
        }
        self.turn_to(|root| is_in(find(root, TOKENS), name))?;
        self.remove_table(TOKENS, name)
    }

    /// Disables, enables or removes a registered client.
    pub(super) fn set_registered(&mut self, id: &str, state: RegisteredState) -> Result<(), Conflict> {
        self.turn_to_registration()?;
        self.list_client(DISABLED, id, state == RegisteredState::Disabled)?;
        if state == RegisteredState::Removed {
            self.list_client(REMOVED, id, true)?;
        }
        Ok(())
    }

    /// Adds an id to a list, or removes it.
    fn list_client(&mut self, key: &'static str, id: &str, listed: bool) -> Result<(), Conflict> {
        let (table, inline) = self.table(TABLE)?;
        let is_it = |value: &Value| value.as_str() == Some(id);
        match table.get_mut(key).and_then(Item::as_array_mut) {
            Some(list) if listed && list.iter().any(is_it) => {}
            Some(list) if listed => list.push(id),
            Some(list) => list.retain(|value| !is_it(value)),
            None if listed => set(table, inline, key, Value::Array(Array::from_iter([id]))),
            None => {}
        }
        Ok(())
    }

    /// Selects the file that has the table.
    fn turn_to_registration(&mut self) -> Result<(), Conflict> {
        let has = |root: &toml_edit::Table| find(root, TABLE).is_some();
        if !self.roots().any(has) {
            return Err(Conflict::Missing(Kind::Registration, TABLE.join("."), String::new()));
        }
        self.turn_to(has)
    }
}

fn is_in(table: Option<&Item>, name: &str) -> bool {
    table.and_then(Item::as_table_like).is_some_and(|table| table.contains_key(name))
}
