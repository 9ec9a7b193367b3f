//! The changes of `[clients.…]`.

use std::time::{Duration, SystemTime};

use toml_edit::{Array, Datetime, InlineTable, Item, Key, Table, TableLike, Value};

use super::layout;
use super::{ConfigFile, EditError};
use crate::config::{ClientSecret, suggestion};
use crate::gate::SecretHash;
use crate::server::date::Utc;

/// A client to be added.
#[derive(Debug)]
pub(crate) struct NewClient<'a> {
    pub(crate) id: &'a str,
    pub(crate) hash: &'a SecretHash,
    pub(crate) capabilities: &'a [&'a str],
    pub(crate) scopes: &'a [String],
    pub(crate) default_scopes: &'a [String],
    /// As the file writes it.
    pub(crate) token_lifetime: Option<&'a str>,
}

/// A new secret for a client.
#[derive(Debug)]
pub(crate) struct Rotation<'a> {
    pub(crate) hash: &'a SecretHash,
    /// How long the secrets there are stay good; nothing: not at all.
    pub(crate) keep_old: Option<Duration>,
    pub(crate) now: SystemTime,
}

/// What became of a client's secrets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The new one's id.
    pub(crate) id: String,
    /// The ids of those that stay good for a while.
    pub(crate) kept: Vec<String>,
    /// The ids of those that are gone.
    pub(crate) dropped: Vec<String>,
    /// When those that stay end at the latest.
    pub(crate) until: Option<SystemTime>,
}

impl ConfigFile {
    /// Adds a client behind the ones there are.
    pub(crate) fn add_client(&mut self, client: &NewClient<'_>) -> Result<(), EditError> {
        self.check_scopes(client)?;
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
        // Before the table is there: it would be the one behind itself.
        let tail = layout::take_tail(&mut self.document, last);
        let blank = if self.text.trim().is_empty() { "" } else { "\n" };
        table.decor_mut().set_prefix(format!("{tail}{blank}"));
        if let Some(clients) = self.document.get_mut("clients").and_then(Item::as_table_like_mut) {
            clients.insert(client.id, Item::Table(table));
        }
        Ok(())
    }

    /// Lets a client in or shuts it out; whether that changed anything.
    pub(crate) fn set_enabled(&mut self, id: &str, enabled: bool) -> Result<bool, EditError> {
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        let is = client.get("enabled").and_then(Item::as_bool);
        if is == Some(enabled) || (is.is_none() && enabled && !client.contains_key("enabled")) {
            return Ok(false);
        }
        set(client, inline, "enabled", Value::from(enabled));
        Ok(true)
    }

    /// Takes a client away, with the comment right above it.
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

    /// Gives a client a new secret.
    pub(crate) fn rotate(&mut self, id: &str, rotation: &Rotation<'_>) -> Result<Rotated, EditError> {
        let old: Vec<ClientSecret> = match &self.before {
            Ok(config) => config
                .client(id)
                .and_then(|client| client.authentication.secret.clone())
                .map_or_else(Vec::new, |secret| secret.secrets),
            // A file that lacks just this secret is mended by a new one; there is nothing in it to keep.
            Err(_) if rotation.keep_old.is_none() => Vec::new(),
            Err(errors) => {
                let errors = errors.clone();
                self.client(id)?;
                return Err(EditError::WrongBefore(errors));
            }
        };
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        let until = rotation.keep_old.and_then(|keep| rotation.now.checked_add(keep));
        let (kept, dropped): (Vec<&ClientSecret>, Vec<&ClientSecret>) = old
            .iter()
            .partition(|secret| until.is_some() && secret.expires.is_none_or(|end| end > rotation.now));
        let names = |secrets: &[&ClientSecret]| secrets.iter().map(|secret| secret.id.clone()).collect();
        let mut rotated =
            Rotated { id: String::new(), kept: names(&kept), dropped: names(&dropped), until: None };
        if !client.contains_key("secrets") && kept.is_empty() {
            ClientSecret::DEFAULT_ID.clone_into(&mut rotated.id);
            set(client, inline, "secret", Value::from(rotation.hash.to_phc()));
            return Ok(rotated);
        }
        rotated.id = new_id(rotation.now, &kept);
        rotated.until = until;
        let kept: Vec<(&str, Option<SystemTime>)> =
            kept.iter().map(|secret| (&*secret.id, new_end(secret.expires, until))).collect();
        let newest = entry(&rotated.id, &rotation.hash.to_phc(), None);
        match client.get_mut("secrets") {
            Some(Item::ArrayOfTables(tables)) => {
                tables.retain(|table| expiry(table, &kept).is_some());
                tables.iter_mut().for_each(|table| revise(table, false, &kept));
                tables.push(newest.into_table());
            }
            Some(Item::Value(Value::Array(array))) => {
                let indent = indent(array);
                array.retain(|value| {
                    value.as_inline_table().is_some_and(|table| expiry(table, &kept).is_some())
                });
                array
                    .iter_mut()
                    .filter_map(Value::as_inline_table_mut)
                    .for_each(|table| revise(table, true, &kept));
                push(array, newest, indent.as_deref());
            }
            _ => {
                let list = old.iter().filter_map(|secret| {
                    let (id, expires) = kept.iter().find(|(id, _)| *id == secret.id)?;
                    Some(entry(id, &secret.hash.to_phc(), *expires))
                });
                let indent = (!inline).then_some("  ");
                let mut array = Array::new();
                list.chain([newest]).for_each(|entry| push(&mut array, entry, indent));
                array.set_trailing_comma(indent.is_some());
                replace_key(client, inline, "secret", "secrets", Value::Array(array));
            }
        }
        Ok(rotated)
    }

    fn check_scopes(&self, client: &NewClient<'_>) -> Result<(), EditError> {
        let scopes = self.document.get("scopes").and_then(Item::as_table_like);
        let known: Vec<String> =
            scopes.into_iter().flat_map(|scopes| scopes.iter()).map(|(name, _)| name.to_owned()).collect();
        match client.scopes.iter().chain(client.default_scopes).find(|scope| !known.contains(scope)) {
            Some(scope) => {
                Err(EditError::NoSuchScope { scope: scope.clone(), file: self.path.clone(), known })
            }
            None => Ok(()),
        }
    }

    fn client(&mut self, id: &str) -> Result<&mut dyn TableLike, EditError> {
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

    fn is_inline(&self, id: &str) -> bool {
        self.document
            .get("clients")
            .and_then(|clients| clients.get(id))
            .is_some_and(|client| client.is_inline_table())
    }

    /// A place behind every table.
    fn end(&self) -> isize {
        self.document.iter().filter_map(|(_, item)| layout::last_position(item)).max().unwrap_or(0) + 1
    }
}

fn entries(client: &NewClient<'_>) -> Vec<(&'static str, Value)> {
    let words = |words: &[String]| Value::Array(words.iter().map(String::as_str).collect());
    let mut entries = vec![
        ("secret", Value::from(client.hash.to_phc())),
        ("capabilities", Value::Array(client.capabilities.iter().copied().collect())),
        ("scopes", words(client.scopes)),
    ];
    if !client.default_scopes.is_empty() {
        entries.push(("default_scopes", words(client.default_scopes)));
    }
    if let Some(lifetime) = client.token_lifetime {
        entries.push(("token_lifetime", Value::from(lifetime)));
    }
    entries
}

/// Sets a key; what stands around its value stays.
fn set(table: &mut dyn TableLike, inline: bool, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => insert_last(table, inline, key, value),
    }
}

/// Adds a key at the end of a table; in an inline table, the space before the closing brace moves along.
fn insert_last(table: &mut dyn TableLike, inline: bool, key: &str, mut value: Value) {
    let last = table.iter().last().map(|(key, _)| key.to_owned()).filter(|_| inline);
    if let Some(last) = last.and_then(|last| table.get_mut(&last)).and_then(Item::as_value_mut) {
        let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default().to_owned();
        if !suffix.is_empty() && suffix.trim().is_empty() {
            last.decor_mut().set_suffix("");
            value.decor_mut().set_prefix(" ");
            value.decor_mut().set_suffix(suffix);
        }
    }
    table.insert(key, Item::Value(value));
}

/// Puts another key and value in the place of one, comments and all.
fn replace_key(table: &mut dyn TableLike, inline: bool, old: &str, new: &str, mut value: Value) {
    let keys: Vec<Key> = table.iter().filter_map(|(name, _)| table.key(name).cloned()).collect();
    let items: Vec<(Key, Item)> =
        keys.into_iter().filter_map(|key| table.remove(key.get()).map(|item| (key, item))).collect();
    for (key, item) in items {
        let (key, item) = match &item {
            Item::Value(replaced) if key.get() == old => {
                *value.decor_mut() = replaced.decor().clone();
                (Key::new(new).with_leaf_decor(key.leaf_decor().clone()), Item::Value(value.clone()))
            }
            _ => (key, item),
        };
        let _ = table.entry_format(&key).or_insert(item);
    }
    if !table.contains_key(new) {
        insert_last(table, inline, new, value);
    }
}

/// An id for a secret that begins today.
fn new_id(now: SystemTime, others: &[&ClientSecret]) -> String {
    let today = Utc::at(now).date();
    let taken = |id: &str| others.iter().any(|secret| secret.id == id);
    let mut id = today.clone();
    let mut number = 1;
    while taken(&id) {
        number += 1;
        id = format!("{today}-{number}");
    }
    id
}

/// The end to write, where a secret would live longer otherwise.
fn new_end(own: Option<SystemTime>, until: Option<SystemTime>) -> Option<SystemTime> {
    until.filter(|until| own.is_none_or(|own| own > *until))
}

fn entry(id: &str, hash: &str, expires: Option<SystemTime>) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("id", Value::from(id));
    table.insert("hash", Value::from(hash));
    if let Some(expires) = expires.and_then(datetime) {
        table.insert("expires", Value::from(expires));
    }
    table
}

/// The new end of a secret of the list, if it gets one, if it is one of those that stay.
fn expiry(entry: &dyn TableLike, kept: &[(&str, Option<SystemTime>)]) -> Option<Option<SystemTime>> {
    let id = entry.get("id").and_then(Item::as_str)?;
    kept.iter().find(|(kept, _)| *kept == id).map(|(_, expires)| *expires)
}

/// Writes into a secret that stays when it ends.
fn revise(entry: &mut dyn TableLike, inline: bool, kept: &[(&str, Option<SystemTime>)]) {
    if let Some(expires) = expiry(entry, kept).flatten().and_then(datetime) {
        set(entry, inline, "expires", Value::from(expires));
    }
}

fn datetime(moment: SystemTime) -> Option<Datetime> {
    Utc::at(moment).rfc3339().parse().ok()
}

/// What stands before the elements of a list on several lines.
fn indent(array: &Array) -> Option<String> {
    let prefixes = array.iter().filter_map(|value| value.decor().prefix()?.as_str());
    prefixes.filter_map(|prefix| prefix.rsplit_once('\n')).map(|(_, indent)| indent.to_owned()).last()
}

/// Adds a secret at the end of a list, on a line of its own if the others have that.
fn push(array: &mut Array, entry: InlineTable, indent: Option<&str>) {
    let mut value = Value::InlineTable(entry);
    let Some(indent) = indent else {
        array.push(value);
        return;
    };
    let mut prefix = format!("\n{indent}");
    let trailing = array.trailing().as_str().unwrap_or_default().to_owned();
    if trailing.contains('#') {
        // A comment behind the last comma belongs to what stands before it.
        prefix = format!("{}\n{indent}", trailing.trim_end());
        array.set_trailing("\n");
    } else if !trailing.contains('\n') {
        array.set_trailing("\n");
    }
    if let Some(last) = array.iter_mut().last() {
        let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default();
        if suffix.trim().is_empty() {
            last.decor_mut().set_suffix("");
        }
    }
    value.decor_mut().set_prefix(prefix);
    value.decor_mut().set_suffix("");
    array.push_formatted(value);
}
