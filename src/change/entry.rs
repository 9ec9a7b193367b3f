//! The table of a route or of an upstream as a form edits it: read from texts, written as TOML, and compared.

use super::layout;
use super::raw;
use super::routes::RouteAddress;
use super::settings::{self, Settings};
use super::texts::Texts;

use crate::sorting::collect_sorted;

/// The position of an error in a text that is not valid TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextError {
    /// The line, counted from one.
    pub(crate) line: usize,
    /// The problem.
    pub(crate) message: String,
}

/// Returns the keys of a route, or `None` if no route or several routes have this address.
pub(crate) fn route(texts: &Texts, address: &RouteAddress) -> Option<Settings> {
    let merged = raw::merged(texts).ok()?;
    let mut found = raw::items(merged.get("routes")).iter().filter_map(|route| route.as_object());
    let mut found = found.by_ref().filter(|route| RouteAddress::of_settings(route).is_same(address));
    match (found.next(), found.next()) {
        (Some(route), None) => Some(route.clone()),
        _ => None,
    }
}

/// Returns the keys of an upstream, or `None` if no upstream has this name.
pub(crate) fn upstream(texts: &Texts, name: &str) -> Option<Settings> {
    let merged = raw::merged(texts).ok()?;
    merged.get("upstreams")?.get(name)?.as_object().cloned()
}

/// Writes keys as TOML, one key a line.
pub(crate) fn to_text(settings: &Settings) -> String {
    let entries = settings::entries(settings, "").unwrap_or_default();
    let line = |(key, value): (String, toml_edit::Value)| {
        format!("{} = {}\n", toml_edit::Key::new(key).display_repr(), value.decorated("", ""))
    };
    entries.into_iter().map(line).collect()
}

/// Parses keys from TOML. Values may have headers of their own.
///
/// # Errors
/// Returns the first line that is not valid TOML.
pub(crate) fn parse(text: &str) -> Result<Settings, TextError> {
    let plain = layout::plain(text);
    let document: toml_edit::DocumentMut = plain.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().and_then(|span| plain.get(..span.start)).unwrap_or_default();
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        TextError { line: 1 + before.matches('\n').count(), message }
    })?;
    match settings::table_as_json(document.as_table()) {
        serde_json::Value::Object(settings) => Ok(settings),
        _ => Ok(Settings::new()),
    }
}

/// Returns the keys that differ, with their new values. A key that is gone has the value `null`.
pub(crate) fn changes(old: &Settings, new: &Settings) -> Settings {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let gone = gone.map(|key| (key.clone(), serde_json::Value::Null));
    let set = new.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    collect_sorted(gone.chain(set.map(|(key, value)| (key.clone(), value.clone()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[routes]]\npath = \"/a\"\nmethods = [\"POST\", \"GET\"]\ncors = { origins = [\"*\"] }\n\
                        [[routes]]\nprefix = \"/b\"\nhost = \"API.example\"\n\
                        [upstreams.\"a.b\"]\nservers = [\"http://10.0.0.1\"]\n[upstreams.\"a.b\".health_check]\npath = \"/up\"\n";

    fn texts() -> Texts {
        Texts::new(vec![(Default::default(), TEXT.to_owned())])
    }

    #[test]
    fn routes_and_upstreams_are_found() {
        let address = |kind: &str, path: &str, hosts: &[&str], methods: &[&str]| -> RouteAddress {
            let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
            let path = Some(path.to_owned());
            let (path, prefix) = if kind == "path" { (path, None) } else { (None, path) };
            RouteAddress { hosts: list(hosts), path, prefix, methods: list(methods) }
        };
        let found = route(&texts(), &address("path", "/a", &[], &["GET", "POST"])).unwrap();
        assert_eq!(found["cors"]["origins"][0], "*");
        assert!(route(&texts(), &address("prefix", "/b", &["api.example"], &[])).is_some());
        assert!(route(&texts(), &address("prefix", "/b", &[], &[])).is_none());
        assert_eq!(upstream(&texts(), "a.b").unwrap()["health_check"]["path"], "/up");
        assert!(upstream(&texts(), "a").is_none());
    }

    #[test]
    fn text_and_keys_are_the_same_thing() {
        let keys = upstream(&texts(), "a.b").unwrap();
        let text = to_text(&keys);
        assert_eq!(text, "servers = [\"http://10.0.0.1\"]\nhealth_check = { path = \"/up\" }\n");
        assert_eq!(parse(&text).unwrap(), keys);
        let with_header = parse("servers = [\"http://10.0.0.1\"]\n[health_check]\npath = \"/up\"").unwrap();
        assert_eq!(with_header, keys);
        assert_eq!(parse("a = 1\nb = [\n").unwrap_err().line, 2);
    }

    #[test]
    fn changes_name_what_differs() {
        let old = parse("a = 1\nb = [1, 2]\nc = { d = 1 }").unwrap();
        let new = parse("b = [1, 2]\nc = { d = 2 }\ne = true").unwrap();
        let changes = changes(&old, &new);
        assert_eq!(serde_json::json!(changes), serde_json::json!({ "a": null, "c": { "d": 2 }, "e": true }));
    }
}
