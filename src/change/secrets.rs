//! Replaces a client's secrets.

use std::time::{Duration, SystemTime};

use toml_edit::{Array, Datetime, InlineTable, Item, Key, TableLike, Value};

use super::conflict::{Conflict, Kind};
use super::document::Document;
use super::table::{insert_last, set};
use crate::config::ClientSecret;
use crate::gate::SecretHash;
use crate::utc;

/// A new secret for a client.
#[derive(Debug)]
pub(super) struct Rotation<'a> {
    pub(crate) hash: &'a SecretHash,
    /// How long the existing secrets stay valid. `None` ends them at once.
    pub(crate) keep_old: Option<Duration>,
    pub(crate) now: SystemTime,
    /// Whether the existing tokens of the client end.
    pub(crate) revoke_tokens: bool,
}

/// The result of a rotation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    /// The id of the new secret.
    pub(crate) id: String,
    /// The ids of the secrets that stay valid for a while.
    pub(crate) kept: Vec<String>,
    /// The ids of the secrets that were removed.
    pub(crate) dropped: Vec<String>,
    /// When the last of the kept secrets expires.
    pub(crate) until: Option<SystemTime>,
}

impl Document {
    /// Gives a client a new secret.
    pub(super) fn rotate(&mut self, id: &str, rotation: &Rotation<'_>) -> Result<Rotated, Conflict> {
        self.client(id)?;
        if rotation.revoke_tokens {
            self.end_tokens(id, rotation.now)?;
        }
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        let old = present(client);
        let until = rotation.keep_old.and_then(|keep| rotation.now.checked_add(keep));
        let (kept, dropped): (Vec<&PresentSecret>, Vec<&PresentSecret>) = old
            .iter()
            .partition(|secret| until.is_some() && secret.expires.is_none_or(|end| end > rotation.now));
        let names = |secrets: &[&PresentSecret]| secrets.iter().map(|secret| secret.id.clone()).collect();
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
                    Some(entry(id, &secret.hash, *expires))
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
}

impl Document {
    /// Removes one of a client's secrets.
    pub(super) fn drop_secret(&mut self, id: &str, secret: &str) -> Result<(), Conflict> {
        let client = self.client(id)?;
        let missing = || Conflict::Missing(Kind::Secret, secret.to_owned(), String::new());
        if !present(client).iter().any(|known| known.id == secret) {
            return Err(missing());
        }
        let other = |table: &dyn TableLike| table.get("id").and_then(Item::as_str) != Some(secret);
        match client.get_mut("secrets") {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|table| other(table)),
            Some(Item::Value(Value::Array(array))) => {
                array.retain(|value| value.as_inline_table().is_none_or(|table| other(table)));
            }
            _ => drop(client.remove("secret")),
        }
        Ok(())
    }
}

/// A secret as the file contains it.
struct PresentSecret {
    id: String,
    /// Its hash, or the reference to the hash.
    hash: String,
    expires: Option<SystemTime>,
}

/// Returns the secrets of a client.
fn present(client: &dyn TableLike) -> Vec<PresentSecret> {
    let id = || ClientSecret::DEFAULT_ID.to_owned();
    let only = client.get("secret").and_then(Item::as_str);
    let only = only.map(|hash| PresentSecret { id: id(), hash: hash.to_owned(), expires: None });
    let tables: Vec<&dyn TableLike> = match client.get("secrets") {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Some(Item::Value(Value::Array(array))) => array
            .iter()
            .filter_map(|value| value.as_inline_table().map(|table| table as &dyn TableLike))
            .collect(),
        _ => Vec::new(),
    };
    let of = |table: &dyn TableLike| {
        let text = |key| Some(table.get(key)?.as_str()?.to_owned());
        let expires = table.get("expires").and_then(Item::as_datetime);
        let expires = expires.and_then(|date| date.to_string().parse::<jiff::Timestamp>().ok());
        Some(PresentSecret { id: text("id")?, hash: text("hash")?, expires: expires.map(SystemTime::from) })
    };
    only.into_iter().chain(tables.into_iter().filter_map(of)).collect()
}

/// Replaces a key and its value. The comments around them are preserved.
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

/// Returns an id for a secret that is created today.
fn new_id(now: SystemTime, others: &[&PresentSecret]) -> String {
    let today = utc::at(now).strftime("%Y-%m-%d").to_string();
    let taken = |id: &str| others.iter().any(|secret| secret.id == id);
    let mut id = today.clone();
    let mut number = 1;
    while taken(&id) {
        number += 1;
        id = format!("{today}-{number}");
    }
    id
}

/// Returns the expiry to write if the secret would otherwise be valid for longer.
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

/// Returns the new expiry of a kept secret, or `Some(None)` if its expiry stays. Returns `None` for other
/// secrets.
fn expiry(entry: &dyn TableLike, kept: &[(&str, Option<SystemTime>)]) -> Option<Option<SystemTime>> {
    let id = entry.get("id").and_then(Item::as_str)?;
    kept.iter().find(|(kept, _)| *kept == id).map(|(_, expires)| *expires)
}

/// Writes the new expiry of a secret that stays valid.
fn revise(entry: &mut dyn TableLike, inline: bool, kept: &[(&str, Option<SystemTime>)]) {
    if let Some(expires) = expiry(entry, kept).flatten().and_then(datetime) {
        set(entry, inline, "expires", Value::from(expires));
    }
}

fn datetime(moment: SystemTime) -> Option<Datetime> {
    utc::at(moment).to_string().parse().ok()
}

/// Returns the indentation of a list with one element per line.
fn indent(array: &Array) -> Option<String> {
    let prefixes = array.iter().filter_map(|value| value.decor().prefix()?.as_str());
    prefixes.filter_map(|prefix| prefix.rsplit_once('\n')).map(|(_, indent)| indent.to_owned()).last()
}

/// Adds a secret at the end of a list, on a separate line if the others have separate lines.
fn push(array: &mut Array, entry: InlineTable, indent: Option<&str>) {
    let mut value = Value::InlineTable(entry);
    let Some(indent) = indent else {
        array.push(value);
        return;
    };
    let mut prefix = format!("\n{indent}");
    let trailing = array.trailing().as_str().unwrap_or_default().to_owned();
    if trailing.contains('#') {
        // A comment after the last comma belongs to the element before it.
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
