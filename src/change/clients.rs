//! Adds, removes, enables and disables clients.

use std::time::SystemTime;

use toml_edit::{Item, Table, TableLike, Value};

use super::conflict::{Conflict, Kind};
use super::document::{Document, find};
use super::generation;
use super::table::set;
use crate::config::settings::admin::{READ_SCOPE, WRITE_SCOPE};
use crate::config::suggestion;
use crate::gate::SecretHash;

/// A client to be added.
#[derive(Debug)]
pub(super) struct NewClient<'a> {
    pub(super) id: &'a str,
    pub(super) hash: &'a SecretHash,
    pub(super) capabilities: &'a [String],
    pub(super) scopes: &'a [String],
    pub(super) default_scopes: &'a [String],
    /// The text of the secret in the file.
    pub(super) token_lifetime: Option<&'a str>,
    pub(super) now: SystemTime,
}

impl Document {
    /// Adds a client after the existing ones.
    pub(super) fn add_client(&mut self, client: &NewClient<'_>) -> Result<(), Conflict> {
        self.check_scopes(client.scopes.iter().chain(client.default_scopes))?;
        if self.roots().any(|root| has_client(root, client.id)) {
            return Err(Conflict::Exists(Kind::Client, client.id.to_owned()));
        }
        self.add_table(&["clients"], client.id, entries(client))
    }

    /// Enables or disables a client. Returns whether that changed anything. Disabling a client ends its
    /// tokens, even if it is enabled again before a gateway reads the file.
    pub(super) fn set_enabled(&mut self, id: &str, enabled: bool, now: SystemTime) -> Result<(), Conflict> {
        self.turn_to_client(id)?;
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        let is = client.get("enabled").and_then(Item::as_bool);
        if is == Some(enabled) || (is.is_none() && enabled && !client.contains_key("enabled")) {
            return Ok(());
        }
        set(client, inline, "enabled", Value::from(enabled));
        if !enabled {
            generation::advance(client, inline, now);
        }
        Ok(())
    }

    /// Removes a client, with the comment directly above it.
    pub(super) fn remove_client(&mut self, id: &str) -> Result<(), Conflict> {
        self.client(id)?;
        self.remove_table(&["clients"], id)
    }

    /// Checks that all scopes are in `[scopes]`.
    pub(super) fn check_scopes<'s>(
        &self,
        mut named: impl Iterator<Item = &'s String>,
    ) -> Result<(), Conflict> {
        let scopes = self.roots().filter_map(|root| root.get("scopes")?.as_table_like());
        let known: Vec<String> =
            scopes.flat_map(|scopes| scopes.iter()).map(|(name, _)| name.to_owned()).collect();
        let is_known = |scope: &String| known.contains(scope) || matches!(&**scope, READ_SCOPE | WRITE_SCOPE);
        match named.find(|scope| !is_known(scope)) {
            Some(scope) => {
                Err(Conflict::NoSuchScope { scope: scope.clone(), file: self.main_path().to_owned(), known })
            }
            None => Ok(()),
        }
    }

    /// Selects the file that has this client.
    pub(super) fn turn_to_client(&mut self, id: &str) -> Result<(), Conflict> {
        self.turn_to(|root| has_client(root, id))
    }

    /// Selects the file that has this client, and returns the client's table.
    pub(super) fn client(&mut self, id: &str) -> Result<&mut dyn TableLike, Conflict> {
        if !self.roots().any(|root| has_client(root, id)) {
            let clients = self.roots().filter_map(|root| root.get("clients")?.as_table_like());
            let hint = suggestion(id, clients.flat_map(|clients| clients.iter()).map(|(name, _)| name));
            return Err(Conflict::Missing(Kind::Client, id.to_owned(), hint));
        }
        self.turn_to_client(id)?;
        Ok(self.table(&["clients", id])?.0)
    }

    /// Returns whether a client is written as an inline table.
    pub(super) fn is_inline(&mut self, id: &str) -> bool {
        find(self.current().as_table(), &["clients", id]).is_some_and(Item::is_inline_table)
    }
}

fn has_client(root: &Table, id: &str) -> bool {
    find(root, &["clients", id]).is_some()
}

fn entries(client: &NewClient<'_>) -> Vec<(String, Value)> {
    let list = |names: &[String]| Value::Array(names.iter().map(String::as_str).collect());
    let mut entries = vec![
        ("secret", Value::from(client.hash.to_phc())),
        ("capabilities", list(client.capabilities)),
        ("scopes", list(client.scopes)),
    ];
    if !client.default_scopes.is_empty() {
        entries.push(("default_scopes", list(client.default_scopes)));
    }
    if let Some(lifetime) = client.token_lifetime {
        entries.push(("token_lifetime", Value::from(lifetime)));
    }
    entries.push((generation::KEY, Value::from(generation::beginning(client.now))));
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
