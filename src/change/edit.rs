//! Changes of a client's permissions: lists of names, and single settings.

use serde::{Deserialize, Serialize};
use toml_edit::{Array, Item, TableLike, Value};

use super::conflict::Conflict;
use super::document::Document;
use super::table::set;
use crate::config::suggestion;

/// A change of a list: the new list, or names to add and names to remove.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListEdit {
    /// The complete new list, to which `add` and `remove` are applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set: Option<Vec<String>>,
    /// Names to add. Names that are already in the list keep their position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) add: Vec<String>,
    /// Names to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) remove: Vec<String>,
}

/// A change of one client's permissions.
#[derive(Debug)]
pub(super) enum ClientEdit<'a> {
    /// A list of names.
    List(&'static str, &'a ListEdit),
    /// A setting with its new value. `None` removes the setting, so that its default applies.
    Setting(&'static str, Option<Value>),
}

impl Document {
    /// Changes a client. The rest of the file is preserved.
    pub(super) fn edit_client(&mut self, id: &str, edit: ClientEdit<'_>) -> Result<(), Conflict> {
        if let ClientEdit::List("scopes" | "default_scopes", list) = &edit {
            self.check_scopes(list.set.iter().flatten().chain(&list.add))?;
        }
        self.client(id)?;
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        match edit {
            ClientEdit::List("scopes", list) => {
                edit_list(client, inline, "scopes", list, id)?;
                // Default scopes must be scopes of the client.
                let scopes = names(client, "scopes");
                let mut defaults = names(client, "default_scopes");
                defaults.retain(|scope| !scopes.contains(scope));
                let gone = ListEdit { remove: defaults, ..ListEdit::default() };
                edit_list(client, inline, "default_scopes", &gone, id)
            }
            ClientEdit::List(key, list) => edit_list(client, inline, key, list, id),
            ClientEdit::Setting(key, value) => {
                edit_setting(client, inline, key, value);
                Ok(())
            }
        }
    }
}

/// Returns the names in a list of a client. The list is empty if the key is missing.
fn names(client: &dyn TableLike, key: &str) -> Vec<String> {
    let array = client.get(key).and_then(Item::as_array);
    array.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn edit_list(
    client: &mut dyn TableLike,
    inline: bool,
    key: &'static str,
    edit: &ListEdit,
    id: &str,
) -> Result<(), Conflict> {
    let before = names(client, key);
    let known =
        |name: &String| edit.set.as_ref().unwrap_or(&before).contains(name) || edit.add.contains(name);
    if let Some(name) = edit.remove.iter().find(|name| !known(name)) {
        let hint = suggestion(name, before.iter().map(String::as_str));
        return Err(Conflict::NotInList { client: id.to_owned(), key, name: name.clone(), hint });
    }
    let mut after = edit.set.clone().unwrap_or_else(|| before.clone());
    after.extend(edit.add.iter().cloned());
    after.retain(|name| !edit.remove.contains(name));
    let mut seen = Vec::new();
    after.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    if after == before {
        return Ok(());
    }
    match client.get_mut(key).and_then(Item::as_array_mut) {
        Some(array) => rewrite(array, &after),
        None => set(client, inline, key, Value::Array(after.iter().map(String::as_str).collect())),
    }
    Ok(())
}

/// Replaces the names in a list. Names that remain keep the lines, spaces and comments around them.
fn rewrite(array: &mut Array, names: &[String]) {
    let mut at = 0;
    while let Some(value) = array.get(at) {
        if value.as_str().is_some_and(|name| names.iter().any(|known| known == name)) {
            at += 1;
        } else {
            let removed = array.remove(at);
            keep_comment_before(array, at, &removed);
        }
    }
    for name in names {
        if array.iter().any(|value| value.as_str() == Some(name)) {
            continue;
        }
        let mut value = Value::from(name.as_str());
        // In a list with one name per line, the new name gets a line too.
        let prefix = array.iter().last().and_then(|last| last.decor().prefix()?.as_str().map(str::to_owned));
        match prefix.filter(|prefix| prefix.contains('\n')) {
            Some(prefix) => {
                let indent = prefix.rsplit('\n').next().unwrap_or_default();
                value.decor_mut().set_prefix(format!("\n{indent}"));
                array.push_formatted(value);
            }
            None => array.push(value),
        }
    }
    if let Some(first) = array.get_mut(0)
        && first.decor().prefix().and_then(|prefix| prefix.as_str()) == Some(" ")
    {
        first.decor_mut().set_prefix("");
    }
}

/// Preserves the comment after the name before a removed one. The parser stores it as a prefix of the removed
/// name.
fn keep_comment_before(array: &mut Array, at: usize, removed: &Value) {
    let prefix = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let Some((comment, _)) = prefix.split_once('\n').filter(|(first, _)| first.contains('#')) else { return };
    match array.get_mut(at) {
        Some(next) => {
            let own = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
            next.decor_mut().set_prefix(format!("{comment}{own}"));
        }
        None => {
            let own = array.trailing().as_str().unwrap_or_default().to_owned();
            array.set_trailing(format!("{comment}{own}"));
        }
    }
}

fn edit_setting(client: &mut dyn TableLike, inline: bool, key: &'static str, value: Option<Value>) {
    let Some(new) = value else {
        client.remove(key);
        return;
    };
    let same = |old: &Value| match (old.as_str(), old.as_bool()) {
        (Some(old), _) => new.as_str() == Some(old),
        (_, Some(old)) => new.as_bool() == Some(old),
        _ => false,
    };
    if client.get(key).and_then(Item::as_value).is_some_and(same) {
        return;
    }
    // A rate limit may be a separate table, [clients.NAME.rate_limit].
    if client.get(key).is_some_and(Item::is_table) {
        client.remove(key);
    }
    set(client, inline, key, new);
}
