//! Changes of what a client may do: lists of names, and single settings.

use toml_edit::{Array, Item, TableLike, Value};

use super::table::set;
use super::{ConfigFile, EditError};
use crate::config::suggestion;

/// A change of a list: the new list, or names to add and names to remove.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ListEdit {
    /// The whole new list, to which `add` and `remove` apply.
    pub(crate) set: Option<Vec<String>>,
    /// Names to add. Those that are already in the list keep their place.
    pub(crate) add: Vec<String>,
    /// Names to remove.
    pub(crate) remove: Vec<String>,
}

/// A change of an optional setting.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum SettingEdit<T> {
    /// The setting stays as it is.
    #[default]
    Keep,
    /// The setting gets this value.
    Set(T),
    /// The setting is removed, so that its default applies.
    Remove,
}

/// The changes of a client.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ClientEdit {
    pub(crate) scopes: ListEdit,
    pub(crate) default_scopes: ListEdit,
    pub(crate) capabilities: ListEdit,
    pub(crate) audiences: ListEdit,
    /// The text that the file gets.
    pub(crate) token_lifetime: SettingEdit<String>,
    /// The text that the file gets.
    pub(crate) rate_limit: SettingEdit<String>,
    pub(crate) dpop_bound_tokens: SettingEdit<bool>,
    pub(crate) certificate_bound_tokens: SettingEdit<bool>,
}

impl ConfigFile {
    /// Changes a client, and returns the keys whose values changed. The rest of the file stays as it is written.
    pub(crate) fn edit_client(
        &mut self,
        id: &str,
        edit: &ClientEdit,
    ) -> Result<Vec<&'static str>, EditError> {
        let named = [&edit.scopes, &edit.default_scopes];
        let named = named.iter().flat_map(|list| list.set.iter().flatten().chain(&list.add));
        self.check_scopes(named)?;
        self.turn_to_client(id)?;
        let inline = self.is_inline(id);
        let client = self.client(id)?;
        let mut defaults = edit.default_scopes.clone();
        // A default scope must be one of the client's scopes.
        for scope in &edit.scopes.remove {
            if names(client, "default_scopes").contains(scope) && !defaults.remove.contains(scope) {
                defaults.remove.push(scope.clone());
            }
        }
        if let Some(scopes) = &edit.scopes.set {
            for scope in names(client, "default_scopes") {
                let stays = scopes.contains(&scope) || edit.scopes.add.contains(&scope);
                if defaults.set.is_none() && !stays && !defaults.remove.contains(&scope) {
                    defaults.remove.push(scope);
                }
            }
        }
        let mut changed = Vec::new();
        for (key, list) in [
            ("scopes", &edit.scopes),
            ("default_scopes", &defaults),
            ("capabilities", &edit.capabilities),
            ("audiences", &edit.audiences),
        ] {
            if edit_list(client, inline, key, list, id)? {
                changed.push(key);
            }
        }
        for (key, setting) in [("token_lifetime", &edit.token_lifetime), ("rate_limit", &edit.rate_limit)] {
            if edit_setting(client, inline, key, setting, |text| Value::from(text.as_str())) {
                changed.push(key);
            }
        }
        for (key, setting) in [
            ("dpop_bound_tokens", &edit.dpop_bound_tokens),
            ("certificate_bound_tokens", &edit.certificate_bound_tokens),
        ] {
            if edit_setting(client, inline, key, setting, |on| Value::from(*on)) {
                changed.push(key);
            }
        }
        Ok(changed)
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
) -> Result<bool, EditError> {
    let before = names(client, key);
    let known =
        |name: &String| edit.set.as_ref().unwrap_or(&before).contains(name) || edit.add.contains(name);
    if let Some(name) = edit.remove.iter().find(|name| !known(name)) {
        let hint = suggestion(name, before.iter().map(String::as_str));
        return Err(EditError::NotInList { client: id.to_owned(), key, name: name.clone(), hint });
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
        return Ok(false);
    }
    match client.get_mut(key).and_then(Item::as_array_mut) {
        Some(array) => rewrite(array, &after),
        None => set(client, inline, key, Value::Array(after.iter().map(String::as_str).collect())),
    }
    Ok(true)
}

/// Replaces the names of a list. Names that stay keep the lines, spaces and comments around them.
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

/// Keeps the comment after the name before a removed one. The parser has it as a prefix of the removed name.
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

fn edit_setting<T>(
    client: &mut dyn TableLike,
    inline: bool,
    key: &'static str,
    edit: &SettingEdit<T>,
    value: impl FnOnce(&T) -> Value,
) -> bool {
    match edit {
        SettingEdit::Keep => false,
        SettingEdit::Remove => client.remove(key).is_some(),
        SettingEdit::Set(new) => {
            let new = value(new);
            let same = |old: &Value| match (old.as_str(), old.as_bool()) {
                (Some(old), _) => new.as_str() == Some(old),
                (_, Some(old)) => new.as_bool() == Some(old),
                _ => false,
            };
            if client.get(key).and_then(Item::as_value).is_some_and(same) {
                return false;
            }
            // A rate may be a table of its own, [clients.NAME.rate_limit].
            if client.get(key).is_some_and(Item::is_table) {
                client.remove(key);
            }
            set(client, inline, key, new);
            true
        }
    }
}
