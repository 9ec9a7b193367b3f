//! Changes of scopes, of upstreams and of the users of the console.

use toml_edit::{Item, Table, Value};

use super::conflict::{Conflict, Kind};
use super::document::{Document, find};
use super::layout;
use super::settings::{self, Settings};
use super::table::{insert_last, set};
use crate::config::suggestion;
use crate::sorting::collect_sorted;

/// The table of the users of the console.
pub(super) const USERS: &[&str] = &["admin", "users"];

impl Document {
    /// Adds a scope after the others.
    pub(super) fn add_scope(&mut self, name: &str, description: &str) -> Result<(), Conflict> {
        if self.roots().any(|root| find(root, &["scopes", name]).is_some()) {
            return Err(Conflict::Exists(Kind::Scope, name.to_owned()));
        }
        self.turn_to(|root| root.contains_key("scopes"))?;
        if !self.current().contains_key("scopes") {
            // A place before the tables of clients, which refer to the scopes, would be easier to read, but
            // would move their comments.
            let end = self.end();
            let blank = if self.is_blank() { "" } else { "\n" };
            let tail = layout::take_tail(self.current(), end - 1);
            let mut table = Table::new();
            table.set_position(Some(end));
            table.decor_mut().set_prefix(format!("{tail}{blank}"));
            self.current().insert("scopes", Item::Table(table));
        }
        let (scopes, inline) = self.table(&["scopes"])?;
        insert_last(scopes, inline, name, Value::from(description));
        Ok(())
    }

    /// Changes the description of a scope.
    pub(super) fn describe_scope(&mut self, name: &str, description: &str) -> Result<(), Conflict> {
        self.turn_to_entry(&["scopes"], name, Kind::Scope)?;
        let (scopes, inline) = self.table(&["scopes"])?;
        set(scopes, inline, name, Value::from(description));
        Ok(())
    }

    /// Removes a scope. Clients and routes that name it are not changed.
    pub(super) fn remove_scope(&mut self, name: &str) -> Result<(), Conflict> {
        self.turn_to_entry(&["scopes"], name, Kind::Scope)?;
        self.table(&["scopes"])?.0.remove(name);
        Ok(())
    }

    /// Adds an upstream after the others.
    pub(super) fn add_upstream(&mut self, name: &str, new: &Settings) -> Result<(), Conflict> {
        self.add_entry(&["upstreams"], name, Kind::Upstream, new)
    }

    /// Changes settings of an upstream.
    pub(super) fn set_upstream(&mut self, name: &str, new: &Settings) -> Result<(), Conflict> {
        self.set_entry(&["upstreams"], name, Kind::Upstream, new)
    }

    /// Removes an upstream, with the comment directly above it.
    pub(super) fn remove_upstream(&mut self, name: &str) -> Result<(), Conflict> {
        self.turn_to_entry(&["upstreams"], name, Kind::Upstream)?;
        self.remove_table(&["upstreams"], name)
    }

    /// Changes how a client authenticates.
    pub(super) fn set_client(&mut self, id: &str, new: &Settings) -> Result<(), Conflict> {
        self.set_entry(&["clients"], id, Kind::Client, new)
    }

    /// Adds a user of the console.
    pub(super) fn add_user(&mut self, name: &str, password: &str, role: &str) -> Result<(), Conflict> {
        let new = [("password", password), ("role", role)];
        let new = collect_sorted(new.map(|(key, value)| (key.to_owned(), value.into())));
        self.add_entry(USERS, name, Kind::User, &new)
    }

    /// Changes a setting of a user of the console.
    pub(super) fn set_user(&mut self, name: &str, key: &str, value: &str) -> Result<(), Conflict> {
        self.turn_to_entry(USERS, name, Kind::User)?;
        let path: Vec<&str> = USERS.iter().copied().chain([name]).collect();
        let (user, inline) = self.table(&path)?;
        set(user, inline, key, Value::from(value));
        Ok(())
    }

    /// Removes a user of the console.
    pub(super) fn remove_user(&mut self, name: &str) -> Result<(), Conflict> {
        self.turn_to_entry(USERS, name, Kind::User)?;
        self.remove_table(USERS, name)
    }

    fn add_entry(&mut self, parent: &[&str], name: &str, kind: Kind, new: &Settings) -> Result<(), Conflict> {
        if self.roots().any(|root| has(root, parent, name)) {
            return Err(Conflict::Exists(kind, name.to_owned()));
        }
        let entries = settings::entries(new, &format!("{}.{name}", parent.join(".")))?;
        self.add_table(parent, name, entries)
    }

    fn set_entry(&mut self, parent: &[&str], name: &str, kind: Kind, new: &Settings) -> Result<(), Conflict> {
        self.turn_to_entry(parent, name, kind)?;
        let path: Vec<&str> = parent.iter().copied().chain([name]).collect();
        let (table, inline) = self.table(&path)?;
        settings::apply(table, inline, new, &path.join("."))
    }

    /// Selects the file that has this key of the table `parent`.
    fn turn_to_entry(&mut self, parent: &[&str], name: &str, kind: Kind) -> Result<(), Conflict> {
        if !self.roots().any(|root| has(root, parent, name)) {
            let tables = self.roots().filter_map(|root| find(root, parent)?.as_table_like());
            let hint = suggestion(name, tables.flat_map(|table| table.iter()).map(|(known, _)| known));
            return Err(Conflict::Missing(kind, name.to_owned(), hint));
        }
        self.turn_to(|root| has(root, parent, name))
    }
}

fn has(root: &Table, parent: &[&str], name: &str) -> bool {
    find(root, parent).and_then(Item::as_table_like).is_some_and(|table| table.contains_key(name))
}
