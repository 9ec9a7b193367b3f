//! Fields of a form that are keys of a table in gateway.toml. A form has a field for each common key, and one
//! field with all other keys as TOML.

use serde_json::{Value as Json, json};

use crate::admin::console::view::form::Errors;
use crate::admin::console::view::parts::Choice;
use crate::change::entry;
use crate::change::settings::Settings;
use crate::config::ConfigError;

/// The field with the other keys.
pub(super) const REST: &str = "rest";

/// Takes a key whose value is a text out of a table. A key with another value stays there.
pub(super) fn take_text(settings: &mut Settings, key: &str) -> String {
    match settings.get(key) {
        Some(Json::String(text)) => {
            let text = text.clone();
            settings.remove(key);
            text
        }
        _ => String::new(),
    }
}

/// Takes a key whose value is a text, or a list of texts, out of a table. A key with another value stays
/// there.
pub(super) fn take_list(settings: &mut Settings, key: &str) -> Vec<String> {
    let list: Option<Vec<String>> = match settings.get(key) {
        Some(Json::String(text)) => Some(vec![text.clone()]),
        Some(Json::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    if list.is_some() {
        settings.remove(key);
    }
    list.unwrap_or_default()
}

/// Takes a key whose value is one of the names out of a table. A key with another value stays there.
pub(super) fn take_choice(settings: &mut Settings, key: &str, names: &[&str]) -> String {
    match settings.get(key) {
        Some(Json::String(text)) if names.contains(&text.as_str()) => take_text(settings, key),
        _ => String::new(),
    }
}

/// Sets a key to a text. An empty text leaves the key out.
pub(super) fn set_text(settings: &mut Settings, key: &str, text: &str) {
    if !text.is_empty() {
        settings.insert(key.to_owned(), json!(text));
    }
}

/// Sets a key to a list. The value keeps the form that it has in the file, where one text can stand for a
/// list of one. An empty list leaves the key out.
pub(super) fn set_list(settings: &mut Settings, before: &Settings, key: &str, list: &[&str]) {
    let old = before.get(key);
    let is_same = match old {
        Some(Json::String(text)) => list == [text.as_str()],
        Some(Json::Array(items)) => items.iter().map(Json::as_str).eq(list.iter().map(|item| Some(*item))),
        _ => false,
    };
    match old {
        Some(old) if is_same => settings.insert(key.to_owned(), old.clone()),
        _ if list.is_empty() => None,
        _ => settings.insert(key.to_owned(), json!(list)),
    };
}

/// Adds the keys of the field with the other keys.
pub(super) fn add_rest(settings: &mut Settings, text: &str, own: &[&str], errors: &mut Errors) {
    match entry::parse(text) {
        Err(error) => errors.add(REST, format!("Line {} is not TOML: {}.", error.line, error.message)),
        Ok(rest) => {
            for (key, value) in rest {
                if own.contains(&key.as_str()) && settings.contains_key(&key) {
                    errors
                        .add(REST, format!("`{key}` has a field of its own above: fill in one of the two."));
                } else {
                    settings.insert(key, value);
                }
            }
        }
    }
}

/// Puts errors of the configuration beside the fields that cause them. `table` is the path of the table, and
/// `fields` has the names of keys with those of their fields.
pub(super) fn place(
    found: &[ConfigError],
    is_table: impl Fn(&str) -> Option<usize>,
    fields: &[(&str, &'static str)],
    errors: &mut Errors,
) {
    for error in found {
        let inside = is_table(&error.key).and_then(|length| error.key.get(length..));
        let key = inside.map(|inside| inside.trim_start_matches('.'));
        let first = key.map(|key| key.split(['.', '[']).next().unwrap_or(key));
        let field = match first {
            None | Some("") => "",
            Some(first) => fields.iter().find(|(key, _)| *key == first).map_or(REST, |(_, field)| *field),
        };
        let key = key.filter(|key| !key.is_empty()).unwrap_or(&error.key);
        errors.add(field, format!("{key}: {}.", error.message));
    }
}

/// Returns the choices of a list of names, with a first one that leaves the key out.
pub(super) fn choices(unset: &str, names: &[(&str, &str)], chosen: &str) -> Vec<Choice> {
    let unset = Choice::new("", unset, chosen.is_empty());
    let named = names.iter().map(|(name, text)| Choice::new(*name, *text, *name == chosen));
    std::iter::once(unset).chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_a_field_can_show_leave_the_table() {
        let table = || entry::parse("a = \"x\"\nb = [\"x\", \"y\"]\nc = false\nd = [1]").unwrap();
        let mut settings = table();
        assert_eq!(take_text(&mut settings, "a"), "x");
        assert_eq!(take_list(&mut settings, "b"), ["x", "y"]);
        assert_eq!((take_text(&mut settings, "c"), take_list(&mut settings, "d")), (String::new(), vec![]));
        assert_eq!(entry::to_text(&settings), "c = false\nd = [1]\n");
    }

    #[test]
    fn a_list_keeps_its_form() {
        let before = entry::parse("host = \"a\"\nscopes = []").unwrap();
        let set = |key: &str, list: &[&str]| {
            let mut settings = Settings::new();
            set_list(&mut settings, &before, key, list);
            settings.remove(key)
        };
        assert_eq!(set("host", &["a"]), Some(json!("a")));
        assert_eq!(set("host", &["b"]), Some(json!(["b"])));
        assert_eq!(
            (set("host", &[]), set("scopes", &[]), set("methods", &[])),
            (None, Some(json!([])), None)
        );
    }

    #[test]
    fn a_key_is_in_one_field() {
        let mut settings = entry::parse("mode = \"shadow\"").unwrap();
        let mut errors = Errors::default();
        add_rest(&mut settings, "mode = \"enforce\"\nqueue = 1", &["mode"], &mut errors);
        assert_eq!((errors.len(), settings["mode"].as_str()), (1, Some("shadow")));
        add_rest(&mut settings, "queue = [", &["mode"], &mut errors);
        assert!(errors.list()[1].message.starts_with("Line 1 is not TOML: "), "{errors:?}");
    }
}
