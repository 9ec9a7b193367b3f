//! Adds, removes, enables and disables clients.

use std::time::SystemTime;

use toml_edit::{InlineTable, Item, Key, Table, TableLike, Value};

use super::table::{insert_last, set};
use super::{ConfigFile, EditError};
use super::{generation, layout};
use crate::config::suggestion;
use crate::gate::SecretHash;

/// A client to be added.
#[derive(Debug)]
pub(crate) struct NewClient<'a> {
    pub(crate) id: &'a str,
    pub(crate) hash: &'a SecretHash,
    pub(crate) capabilities: &'a [&'a str],
    pub(crate) scopes: &'a [String],
    pub(crate) default_scopes: &'a [String],
    /// The text that the file gets.
    pub(crate) token_lifetime: Option<&'a str>,
    pub(crate) now: SystemTime,
}

impl ConfigFile {
    /// Adds a client after the existing ones.
    pub(crate) fn add_client(&mut self, client: &NewClient<'_>) -> Result<(), EditError> {
        self.check_scopes(client.scopes.iter().chain(client.default_scopes))?;
        self.turn_to_client(client.id)?;
        self.turn_to_clients()?;
        let last = self.document.get("clients").and_then(layout::last_position).unwrap_or_else(|| self.end());
        let clients = self.document.entry("clients").or_insert_with(|| {
            let mut clients = Table::new();
            clients.set_implicit(true);
            Item::Table(clients)
        });
        let inline = clients.is_inline_table();
        let clients =
            clients.as_table_like_mut().ok_or_else(|| EditError::NotATable("clients".to_owned()))?;
        if clients.contains_key(client.id) {
            return Err(EditError::ClientExists(client.id.to_owned()));
        }
        if inline {
            let table: InlineTable =
                entries(client).into_iter().map(|(key, value)| (Key::new(key), value)).collect();
            insert_last(clients, true, client.id, Value::InlineTable(table));
            return Ok(());
        }
        let mut table = Table::new();
        for (key, value) in entries(client) {
            table.insert(key, Item::Value(value));
        }
        table.set_position(Some(last));
        // Taken before the table is inserted, because afterwards the table itself would be the next one.
        let tail = layout::take_tail(&mut self.document, last);
        let blank = if self.text.trim().is_empty() { "" } else { "\n" };
        table.decor_mut().set_prefix(format!("{tail}{blank}"));
        if let Some(clients) = self.document.get_mut("clients").and_then(Item::as_table_like_mut) {
            clients.insert(client.id, Item::Table(table));
        }
        Ok(())
    }

    /// Enables or disables a client. Returns whether that changed anything. Disabling a client ends its tokens, even if it
    /// is enabled again before a gateway reads the file.
    pub(crate) fn set_enabled(
        &mut self,
        id: &str,
        enabled: bool,
        now: SystemTime,
    ) -> Result<bool, EditError> {
        self.turn_to_client(id)?;
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        let is = client.get("enabled").and_then(Item::as_bool);
        if is == Some(enabled) || (is.is_none() && enabled && !client.contains_key("enabled")) {
            return Ok(false);
        }
        set(client, inline, "enabled", Value::from(enabled));
        if !enabled {
            generation::advance(client, inline, now);
        }
        Ok(true)
    }

    /// Removes a client, with the comment directly above it.
    pub(crate) fn remove_client(&mut self, id: &str) -> Result<(), EditError> {
        self.client(id)?;
        let Some(clients) = self.document.get_mut("clients").and_then(Item::as_table_like_mut) else {
            return Err(EditError::NotATable("clients".to_owned()));
        };
        let Some(removed) = clients.remove(id) else { return Ok(()) };
        if let Item::Table(table) = &removed
            && !table.is_dotted()
            && let (Some(first), Some(last)) = (table.position(), layout::last_position(&removed))
        {
            let above = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            layout::close_gap(&mut self.document, first, last, above);
        }
        Ok(())
    }

    /// Checks that all scopes are in `[scopes]`.
    pub(super) fn check_scopes<'s>(
        &self,
        mut named: impl Iterator<Item = &'s String>,
    ) -> Result<(), EditError> {
        let known: Vec<String> = match &self.before {
            Ok(config) => config.scopes.iter().map(|scope| scope.name.clone()).collect(),
            Err(_) => {
                let scopes = self.document.get("scopes").and_then(Item::as_table_like);
                scopes.into_iter().flat_map(|scopes| scopes.iter()).map(|(name, _)| name.to_owned()).collect()
            }
        };
        match named.find(|scope| !known.contains(scope)) {
            Some(scope) => {
                Err(EditError::NoSuchScope { scope: scope.clone(), file: self.path.clone(), known })
            }
            None => Ok(()),
        }
    }

    pub(super) fn client(&mut self, id: &str) -> Result<&mut dyn TableLike, EditError> {
        self.turn_to_client(id)?;
        let clients = self.document.get_mut("clients").and_then(Item::as_table_like_mut);
        let Some(clients) = clients else {
            return Err(EditError::NoSuchClient(id.to_owned(), String::new()));
        };
        if !clients.contains_key(id) {
            let hint = suggestion(id, clients.iter().map(|(name, _)| name));
            return Err(EditError::NoSuchClient(id.to_owned(), hint));
        }
        clients
            .get_mut(id)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| EditError::NotATable(format!("clients.{id}")))
    }

    pub(super) fn is_inline(&self, id: &str) -> bool {
        self.document
            .get("clients")
            .and_then(|clients| clients.get(id))
            .is_some_and(|client| client.is_inline_table())
    }

    /// Returns a position after every table.
    fn end(&self) -> isize {
        self.document.iter().filter_map(|(_, item)| layout::last_position(item)).max().unwrap_or(0) + 1
    }
}

fn entries(client: &NewClient<'_>) -> Vec<(&'static str, Value)> {
    let list = |names: &[String]| Value::Array(names.iter().map(String::as_str).collect());
    let mut entries = vec![
        ("secret", Value::from(client.hash.to_phc())),
        ("capabilities", Value::Array(client.capabilities.iter().copied().collect())),
        ("scopes", list(client.scopes)),
    ];
    if !client.default_scopes.is_empty() {
        entries.push(("default_scopes", list(client.default_scopes)));
    }
    if let Some(lifetime) = client.token_lifetime {
        entries.push(("token_lifetime", Value::from(lifetime)));
    }
    entries.push((generation::KEY, Value::from(generation::beginning(client.now))));
    entries
}
