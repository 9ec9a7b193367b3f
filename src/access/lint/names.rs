//! Lints about unused names, clients without access, and rules that never apply.

use std::collections::BTreeSet;

use super::findings::Findings;
use crate::access::reach::{Reach, ShutOut};
use crate::config::{Access, Client, Config, Lint, Route, key_path};
use crate::oauth::scope::Scopes;
use crate::sorting::collect_sorted;

pub(super) fn names(config: &Config, findings: &mut Findings<'_>) {
    if config.routes.is_empty() {
        findings.add_of_file(
            Lint::Empty,
            "there are no [[routes]], so every request for an API is answered 404: add an upstream and a route",
        );
    }
    upstreams(config, findings);
    scopes(config, findings);
    clients(config, findings);
    for (index, route) in config.routes.iter().enumerate() {
        addresses(index, route, findings);
    }
}

fn upstreams(config: &Config, findings: &mut Findings<'_>) {
    let used: BTreeSet<usize> = collect_sorted(config.routes.iter().map(|route| route.upstream.0));
    for (index, upstream) in config.upstreams.iter().enumerate() {
        if !used.contains(&index) {
            let key = key_path("upstreams", &upstream.name);
            let message = "no route forwards to this upstream: add a route, or remove it";
            findings.add(Lint::UnusedUpstream, upstream.position, key, message);
        }
    }
}

fn scopes(config: &Config, findings: &mut Findings<'_>) {
    let needed = config.routes.iter().filter_map(|route| match &route.access {
        Access::Public => None,
        Access::Token { requirement, .. } => requirement.scopes(),
    });
    let needed: BTreeSet<&str> = collect_sorted(needed.flat_map(Scopes::iter));
    let of_clients = config.clients.iter().flat_map(|client| client.scopes.iter());
    let registration = config.token_service.registration.iter();
    let of_templates = registration.flat_map(|table| &table.templates).flat_map(|it| it.scopes.iter());
    let held: BTreeSet<&str> = collect_sorted(of_clients.chain(of_templates));
    // A file without routes or without clients is unfinished. It gets at most one warning instead of many.
    let (no_routes, no_clients) = (config.routes.is_empty(), config.clients.is_empty());
    for scope in &config.scopes {
        let name = scope.name.as_str();
        let unneeded = !no_routes && !needed.contains(name) && !tokens_are_used_elsewhere(config);
        let unheld = !no_clients && !held.contains(name);
        let message = match (unneeded, unheld) {
            (false, false) => continue,
            (true, true) => "no route needs this scope and no client has it: remove it, or use it",
            (true, false) => {
                "no route needs this scope, so it opens nothing: add it to a route, or remove it"
            }
            (false, true) => {
                "no client has this scope, so nobody reaches the routes that need it: give it to a client with \
                 `tollgate client edit NAME --add-scope SCOPE`, or remove it"
            }
        };
        findings.add(Lint::UnusedScope, scope.position, key_path("scopes", name), message);
    }
}

fn clients(config: &Config, findings: &mut Findings<'_>) {
    if config.routes.is_empty() || tokens_are_used_elsewhere(config) {
        return;
    }
    let mut different: Vec<&Route> = Vec::new();
    let mut seen = BTreeSet::new();
    for route in &config.routes {
        if matches!(route.access, Access::Token { .. }) && seen.insert(format!("{:?}", route.access)) {
            different.push(route);
        }
    }
    for client in config.clients.iter().filter(|client| gets_tokens(client)) {
        if different.iter().any(|route| Reach::of(client, route).is_allowed()) {
            continue;
        }
        let message = if client.scopes.is_empty() {
            "the client has no scopes, so its tokens open no route: give it some with `tollgate client edit NAME \
             --add-scope SCOPE`"
        } else {
            "no route can be reached with the client's scopes and audiences, so its tokens open nothing: change them, \
             or the routes"
        };
        let key = key_path("clients", client.id.as_str());
        findings.add(Lint::OpensNothing, client.position, key, message);
    }
}

fn gets_tokens(client: &Client) -> bool {
    ShutOut::of(client).is_none()
}

/// Returns whether some client asks about tokens by introspection. Tokens may then open APIs that are not
/// behind this gateway.
fn tokens_are_used_elsewhere(config: &Config) -> bool {
    config.clients.iter().any(|client| client.enabled && client.capabilities.introspection)
}

fn addresses(index: usize, route: &Route, findings: &mut Findings<'_>) {
    let rules = &route.addresses;
    for (at, range) in rules.allow.iter().enumerate() {
        if let Some(wider) = rules.deny.iter().find(|denied| range.is_within(denied)) {
            findings.add(
                Lint::UnmatchableNetwork,
                route.position,
                format!("routes[{index}].allow[{at}]"),
                format!(
                    "{range} is never allowed, because `deny` has {wider} and wins: remove one of the two"
                ),
            );
        }
    }
}
