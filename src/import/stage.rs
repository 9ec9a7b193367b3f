//! Turns an import into the operations of a staged change.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::compare::{Changed, Comparison};
use super::draft::{Draft, Need, Route, Upstream};
use super::render::{route_table, upstream_table};
use crate::change::operation::Operation;
use crate::change::settings::Settings;
use crate::config::Config;
use crate::sorting::collect_sorted;

/// Returns the operations that bring a configuration up to date with a draft: they add missing scopes,
/// upstreams and routes, and change the methods and scopes of routes that differ. With `prune`, they also
/// remove routes that the source no longer has. `comparison` compares the draft with the configuration.
pub(crate) fn operations(
    draft: &Draft,
    config: &Config,
    comparison: &Comparison,
    prune: bool,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let has_scope = |name: &String| config.scopes.iter().any(|scope| scope.name == *name);
    let scopes = draft.scopes.iter().filter(|(name, _)| !has_scope(name));
    let scopes: BTreeMap<String, String> = collect_sorted(scopes.map(|(a, b)| (a.clone(), b.clone())));
    let has_upstream = |name: &str| config.upstreams.iter().any(|upstream| upstream.name == name);
    let upstreams = draft.upstreams.iter().filter(|upstream| !has_upstream(&upstream.name));
    let upstreams: BTreeMap<String, Settings> =
        collect_sorted(upstreams.map(|upstream| (upstream.name.clone(), upstream_settings(upstream))));
    let routes: Vec<Settings> = comparison.new.iter().map(route_settings).collect();
    if !(scopes.is_empty() && upstreams.is_empty() && routes.is_empty()) {
        operations.push(Operation::Import { scopes, upstreams, routes });
    }
    operations.extend(comparison.changed.iter().map(|Changed { route, address, .. }| Operation::RouteSet {
        route: address.clone(),
        settings: requirement_settings(route),
    }));
    if prune {
        let gone = comparison.gone.iter().map(|gone| gone.address.clone());
        operations.extend(gone.map(|route| Operation::RouteRemove { route }));
    }
    operations
}

fn route_settings(route: &Route) -> Settings {
    let mut document = parsed(&route_table(route));
    match document.get_mut("routes").and_then(|routes| routes.get_mut(0)).map(Value::take) {
        Some(Value::Object(settings)) => settings,
        _ => Map::new(),
    }
}

fn upstream_settings(upstream: &Upstream) -> Settings {
    let mut document = parsed(&upstream_table(upstream));
    let table = document.get_mut("upstreams").and_then(|upstreams| upstreams.get_mut(&upstream.name));
    match table.map(Value::take) {
        Some(Value::Object(settings)) => settings,
        _ => Map::new(),
    }
}

/// Returns what is set on a route that the configuration has: the methods and the scopes of the source.
fn requirement_settings(route: &Route) -> Settings {
    let mut settings = Map::new();
    let methods = if route.methods.is_empty() { Value::Null } else { json!(route.methods) };
    let (scopes, any_scope) = match &route.need {
        Need::Token => (json!([]), Value::Null),
        Need::All(scopes) => (json!(scopes), Value::Null),
        Need::Any(scopes) => (Value::Null, json!(scopes)),
    };
    for (key, value) in
        [("methods", methods), ("scopes", scopes), ("any_scope", any_scope), ("access", Value::Null)]
    {
        settings.insert(key.to_owned(), value);
    }
    settings
}

/// Parses TOML that the import has written. It is always valid.
fn parsed(text: &str) -> Map<String, Value> {
    toml::from_str(text).unwrap_or_default()
}
