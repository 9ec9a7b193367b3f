//! The routes of a configuration, as the route table takes them.

use http::Method;

use super::{Config, Route};
use crate::route::table::Entry;

impl Config {
    /// Returns the entries of a route for the route table: one for each of its hosts.
    pub(crate) fn table_entries<T: Clone>(&self, route: &Route, value: &T) -> Vec<Entry<T>> {
        let methods: Option<Vec<Method>> = route.methods.only().map(<[_]>::to_vec);
        let case_insensitive = self.upstream_of(route).is_some_and(|upstream| upstream.case_insensitive);
        let entry = |host| Entry {
            host,
            pattern: route.path.clone(),
            methods: methods.clone(),
            case_insensitive,
            allowed: route.allowed(),
            value: value.clone(),
        };
        route.table_hosts().into_iter().map(entry).collect()
    }
}
