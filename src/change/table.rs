//! Sets keys of tables, in both regular and inline tables.

use toml_edit::{Item, TableLike, Value};

/// Sets a key. The spaces and comments around its value are preserved.
pub(super) fn set(table: &mut dyn TableLike, inline: bool, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => insert_last(table, inline, key, value),
    }
}

/// Adds a key at the end of a table. In an inline table, the space before the closing brace moves behind the
/// new key.
pub(super) fn insert_last(table: &mut dyn TableLike, inline: bool, key: &str, mut value: Value) {
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
