//! Sets keys of tables to JSON values. Unchanged parts keep their spaces and comments.

use serde_json::{Map, Value as Json};
use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::conflict::Conflict;
use super::table::{insert_last, set};

use crate::sorting::{collect_sorted, sort_by_key};

/// New values of keys. `null` removes a key, so that its default applies.
pub(crate) type Settings = Map<String, Json>;

/// Changes the named keys of a table.
pub(super) fn apply(
    table: &mut dyn TableLike,
    inline: bool,
    settings: &Settings,
    path: &str,
) -> Result<(), Conflict> {
    for (key, new) in in_order(settings) {
        let path = format!("{path}.{key}");
        if new.is_null() {
            table.remove(key);
            continue;
        }
        let old = table.get_mut(key).filter(|old| !old.is_none());
        if let (Some(old), Json::Object(new)) = (old, new) {
            let inside = old.is_inline_table();
            if let Some(inner) = old.as_table_like_mut() {
                replace(inner, inside, new, &path)?;
                continue;
            }
        }
        let same = table.get(key).and_then(Item::as_value).is_some_and(|old| as_json(old) == *new);
        if same {
            continue;
        }
        // A table or a list of tables with headers is replaced by one line.
        if table.get(key).is_some_and(|item| !item.is_value()) {
            table.remove(key);
        }
        let value = to_value(new, &path)?;
        match (table.get_mut(key), &value) {
            (Some(Item::Value(Value::Array(old))), Value::Array(new)) => rewrite(old, new),
            (Some(_), _) => set(table, inline, key, value),
            (None, _) => insert_last(table, inline, key, value),
        }
    }
    Ok(())
}

/// Sets the content of a table to exactly these keys.
fn replace(table: &mut dyn TableLike, inline: bool, new: &Settings, path: &str) -> Result<(), Conflict> {
    let gone: Vec<String> =
        table.iter().map(|(key, _)| key.to_owned()).filter(|key| !new.contains_key(key)).collect();
    for key in gone {
        table.remove(&key);
    }
    apply(table, inline, new, path)
}

/// Sets the items of a list. Items that remain keep the text around them.
fn rewrite(old: &mut Array, new: &Array) {
    let written = |value: &Value| value.clone().decorated("", "").to_string();
    let wanted: Vec<String> = new.iter().map(written).collect();
    old.retain(|value| wanted.contains(&written(value)));
    let same = old.iter().map(written).eq(wanted.iter().take(old.len()).cloned());
    if !same {
        old.clear();
    }
    for value in new.iter().skip(old.len()) {
        old.push(value.clone());
    }
}

/// The keys that people usually write first in a table, in their order. The other keys follow alphabetically.
const FIRST: [&str; 16] = [
    "path",
    "prefix",
    "host",
    "methods",
    "access",
    "scopes",
    "any_scope",
    "audience",
    "upstream",
    "servers",
    "url",
    "header",
    "value",
    "user",
    "password",
    "role",
];

/// Returns the keys and values of a new table, in the order in which a person would write them.
pub(super) fn entries(settings: &Settings, path: &str) -> Result<Vec<(String, Value)>, Conflict> {
    let set = in_order(settings).into_iter().filter(|(_, value)| !value.is_null());
    let entry =
        |(key, value): (&String, &Json)| Ok((key.clone(), to_value(value, &format!("{path}.{key}"))?));
    set.map(entry).collect()
}

fn in_order(settings: &Settings) -> Vec<(&String, &Json)> {
    let mut all: Vec<(&String, &Json)> = settings.iter().collect();
    sort_by_key(&mut all, |(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    all
}

/// Converts a value to TOML.
fn to_value(json: &Json, path: &str) -> Result<Value, Conflict> {
    let unknown = || Conflict::Value(path.to_owned());
    Ok(match json {
        Json::Null => return Err(unknown()),
        Json::Bool(on) => Value::from(*on),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) if !number.is_nan() => Value::from(number),
            _ => return Err(unknown()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let items: Result<Vec<Value>, Conflict> = items.iter().map(|item| to_value(item, path)).collect();
            Value::Array(items?.into_iter().collect())
        }
        Json::Object(settings) => {
            let mut table = InlineTable::new();
            for (key, value) in entries(settings, path)? {
                table.insert(key, value);
            }
            Value::InlineTable(table)
        }
    })
}

/// Converts a value of the file to JSON. A date becomes a string.
pub(super) fn as_json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::from(text.value().as_str()),
        Value::Integer(number) => Json::from(*number.value()),
        Value::Float(number) => Json::from(*number.value()),
        Value::Boolean(on) => Json::from(*on.value()),
        Value::Datetime(date) => Json::from(date.value().to_string()),
        Value::Array(items) => items.iter().map(as_json).collect(),
        Value::InlineTable(table) => {
            Json::Object(collect_sorted(table.iter().map(|(key, value)| (key.to_owned(), as_json(value)))))
        }
    }
}

/// Converts the value of a key to JSON.
pub(super) fn item_as_json(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => as_json(value),
        Item::Table(table) => table_as_json(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| table_as_json(table)).collect(),
    }
}

/// Converts a table to JSON.
pub(super) fn table_as_json(table: &dyn TableLike) -> Json {
    Json::Object(collect_sorted(table.iter().map(|(key, item)| (key.to_owned(), item_as_json(item)))))
}
