//! Lints about exact paths beside a route that requires less: another spelling of the path matches that
//! route.
//!
//! `/admin` and `/admin/` are two paths, and many servers answer both in the same way. If `/admin` requires a
//! scope and the prefix `/` does not, `/admin/` reaches the same API without the scope.

use std::collections::BTreeSet;

use http::Method;

use super::findings::Findings;
use crate::config::{Access, Config, Lint, Mode, Route};
use crate::oauth::scope::{Requirement, Scopes};
use crate::route::path::canonical;
use crate::route::table::{Match, RouteTable};
use crate::sorting::collect_sorted;

/// The methods to try for a route that accepts all methods.
const COMMON: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

pub(super) fn spellings(config: &Config, findings: &mut Findings<'_>) {
    let routes = config.routes.iter().enumerate();
    let entries = routes.flat_map(|(index, route)| config.table_entries(route, &index));
    // Conflicts between routes are errors, which have already been reported.
    let Ok(table) = RouteTable::build(entries) else { return };
    for (index, route) in config.routes.iter().enumerate() {
        if route.path.is_prefix() || route.path.as_str() == "/" {
            continue;
        }
        if let Some((spellings, weaker)) = weaker(config, &table, route) {
            let instead = route.path.as_str().trim_end_matches('/');
            findings.add(
                Lint::WeakerSpelling,
                route.position,
                format!("routes[{index}].path"),
                format!(
                    "{} {} the route in line {}, which {}; if the API reads such a path as {:?}, this route's rules \
                     are bypassed: write prefix = {instead:?}, or add routes for them",
                    spellings.join(", "),
                    if spellings.len() == 1 { "takes" } else { "take" },
                    weaker.position.line,
                    needs(route, weaker),
                    route.path.as_str(),
                ),
            );
        }
    }
}

/// Returns the spellings of a route's path that match a route with a weaker requirement, and that route.
fn weaker<'c>(
    config: &'c Config,
    table: &RouteTable<usize>,
    route: &Route,
) -> Option<(Vec<String>, &'c Route)> {
    let host = route.sample_host().unwrap_or_default();
    let methods = route.methods.only().unwrap_or(&COMMON);
    let taken = |spelling: &str| {
        let path = canonical(spelling).ok()?;
        methods.iter().find_map(|method| match table.find(&host, &path, method) {
            Match::Found(index) => config
                .routes
                .get(*index)
                .filter(|other| opens_more(other, route) && share(config, other, route)),
            _ => None,
        })
    };
    let written = example(route.path.as_str());
    let trimmed = written.trim_end_matches('/');
    let slash = if trimmed.len() == written.len() { format!("{written}/") } else { trimmed.to_owned() };
    let weaker = taken(&slash)?;
    let mut spellings = vec![slash];
    if trimmed.len() == written.len() && taken(&format!("{written}/x")).is_some() {
        spellings.push(format!("{written}/…"));
    }
    // Upstreams that ignore case have `case_insensitive = true`, and their routes match in any case.
    let upper = written.to_ascii_uppercase();
    if upper != written && taken(&upper).is_some() {
        spellings.push(upper);
    }
    Some((spellings, weaker))
}

/// A path that matches a pattern. Each `{name}` is replaced by a number.
fn example(pattern: &str) -> String {
    let segments = pattern.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// Returns whether two routes forward to the same server.
fn share(config: &Config, one: &Route, other: &Route) -> bool {
    if one.upstream == other.upstream {
        return true;
    }
    let servers = |route| -> BTreeSet<String> {
        let upstream = config.upstream_of(route);
        let servers = upstream.into_iter().flat_map(|it| &it.servers);
        collect_sorted(servers.map(|server| server.origin.to_string()))
    };
    !servers(one).is_disjoint(&servers(other))
}

/// Returns whether some request is accepted by `other` and would not be accepted by `route`.
fn opens_more(other: &Route, route: &Route) -> bool {
    let (allow, deny) = (&route.addresses.allow, &route.addresses.deny);
    if (!allow.is_empty() && *allow != other.addresses.allow)
        || deny.iter().any(|range| !other.addresses.deny.contains(range))
    {
        return true;
    }
    match (&other.access, &route.access) {
        (_, Access::Public) => false,
        (Access::Public, Access::Token { .. }) => true,
        _ if other.mode == Mode::Shadow && route.mode == Mode::Enforce => true,
        (
            Access::Token { requirement: less, audience: other_audience },
            Access::Token { requirement, audience },
        ) => {
            audience.is_some() && audience != other_audience
                || weakest(less).iter().any(|scopes| !requirement.is_met_by(scopes))
        }
    }
}

/// Returns the smallest sets of scopes that meet a requirement.
fn weakest(requirement: &Requirement) -> Vec<Scopes> {
    match requirement {
        Requirement::AnyToken => vec![Scopes::none()],
        Requirement::All(scopes) => vec![scopes.clone()],
        Requirement::Any(scopes) => {
            scopes.iter().filter_map(|scope| Scopes::from_tokens([scope]).ok()).collect()
        }
    }
}

fn needs(route: &Route, weaker: &Route) -> String {
    match (&weaker.access, &route.access) {
        (Access::Public, Access::Token { .. }) => "needs no token".to_owned(),
        _ if weaker.mode == Mode::Shadow && route.mode == Mode::Enforce => {
            "refuses nobody (shadow mode)".to_owned()
        }
        (Access::Token { requirement: Requirement::AnyToken, .. }, Access::Token { .. }) => {
            "any valid token opens".to_owned()
        }
        (Access::Token { .. }, Access::Token { .. }) => "other tokens open".to_owned(),
        _ => "accepts other addresses".to_owned(),
    }
}
