//! The access matrix: every route with every client.

use std::cmp::Reverse;

use crate::access::reach::Reach;
use crate::config::{Client, Config, HostPattern, Route};
use crate::sorting::sort_by_cached_key;

/// One route of the matrix, with a cell for each client in the order of the file.
pub(crate) struct Row<'c> {
    pub(crate) route: &'c Route,
    pub(crate) cells: Vec<(&'c Client, Reach<'c>)>,
}

/// Returns the matrix of a configuration, its routes in the order in which the route table tries them.
pub(crate) fn matrix(config: &Config) -> Vec<Row<'_>> {
    let row = |route| Row {
        route,
        cells: config.clients.iter().map(|client| (client, Reach::of(client, route))).collect(),
    };
    by_specificity(config).into_iter().map(row).collect()
}

/// Returns 0 for a route of exact hosts, 1 for one that has `*.example.com` among its hosts, 2 for one of any
/// host.
fn host_rank(route: &Route) -> u8 {
    match route.hosts.as_slice() {
        [] => 2,
        hosts if hosts.iter().any(|host| matches!(host, HostPattern::Below(_))) => 1,
        _ => 0,
    }
}

/// Sorts the routes as the route table tries them: those with a host first; exact paths, then those with
/// `{name}`, then prefixes, the longest first; where two differ first, a literal before a `{name}`.
fn by_specificity(config: &Config) -> Vec<&Route> {
    let mut routes: Vec<&Route> = config.routes.iter().collect();
    sort_by_cached_key(&mut routes, |route| {
        let (kind_of_host, host) = (host_rank(route), route.host_names());
        let text = route.path.as_str();
        let names: Vec<bool> = text.split('/').skip(1).map(|segment| segment.starts_with('{')).collect();
        let (kind, length) = match route.path.is_prefix() {
            false => (u8::from(route.path.has_names()), 0),
            true => (2, if text == "/" { 0 } else { names.len() }),
        };
        let names = if kind == 0 { Vec::new() } else { names };
        (kind_of_host, host, kind, Reverse(length), names, text.to_owned(), route.position)
    });
    routes
}
