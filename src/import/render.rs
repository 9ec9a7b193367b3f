//! Writes a draft as the text of a gateway.toml.

use std::fmt::Write as _;

use super::draft::{Draft, Need, Route, RoutePath, Upstream};

/// Writes scopes, upstreams and routes in the order of the source.
pub(crate) fn render(draft: &Draft) -> String {
    let mut text = String::new();
    if !draft.scopes.is_empty() {
        text.push_str("[scopes]\n");
        for (scope, description) in &draft.scopes {
            let _ = writeln!(text, "{} = {}", key(scope), quoted(description));
        }
        text.push('\n');
    }
    for upstream in &draft.upstreams {
        text.push_str(&upstream_table(upstream));
        text.push('\n');
    }
    for route in &draft.routes {
        text.push_str(&route_table(route));
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The table of one upstream.
pub(super) fn upstream_table(upstream: &Upstream) -> String {
    let servers: Vec<String> = upstream
        .servers
        .iter()
        .map(|server| match server.weight {
            Some(weight) => format!("{{ url = {}, weight = {weight} }}", quoted(&server.url)),
            None => quoted(&server.url),
        })
        .collect();
    let mut text = format!("[upstreams.{}]\nservers = [{}]\n", key(&upstream.name), servers.join(", "));
    for (name, value) in &upstream.settings {
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

/// The table of one route.
pub(super) fn route_table(route: &Route) -> String {
    let mut text = String::from("[[routes]]\n");
    let (name, path) = match &route.path {
        RoutePath::Exact(path) => ("path", path),
        RoutePath::Prefix(path) => ("prefix", path),
    };
    let _ = writeln!(text, "{name} = {}", quoted(path));
    if let Some(host) = &route.host {
        let _ = writeln!(text, "host = {}", quoted(host));
    }
    if !route.methods.is_empty() {
        let _ = writeln!(text, "methods = {}", quoted_list(&route.methods));
    }
    match &route.need {
        Need::Token => {}
        Need::All(scopes) => {
            let _ = writeln!(text, "scopes = {}", quoted_list(scopes));
        }
        Need::Any(scopes) => {
            let _ = writeln!(text, "any_scope = {}", quoted_list(scopes));
        }
    }
    let _ = writeln!(text, "upstream = {}", quoted(&route.upstream));
    for (name, value) in &route.settings {
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

/// A list of strings in quotes.
pub(super) fn quoted_list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A key: bare if TOML allows it.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A string in quotes. Line ends and other control characters are escaped.
pub(super) fn quoted(text: &str) -> String {
    toml_edit::Value::from(text.replace(char::is_control, " ")).to_string()
}
