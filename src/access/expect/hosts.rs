//! The hosts that the routes distinguish.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, HostPattern};
use crate::sorting::collect_sorted;

/// A host that represents all hosts that the routes treat alike. `None` represents the hosts that no route
/// names.
pub(super) type Host = Option<String>;

/// Returns one host for each group of hosts that a pattern matches and the routes treat alike.
pub(super) fn hosts(config: &Config, pattern: Option<&HostPattern>) -> Vec<Host> {
    let named = config.routes.iter().flat_map(|route| &route.hosts).map(|host| (host.to_string(), host));
    let named: BTreeMap<String, &HostPattern> = collect_sorted(named);
    let named: Vec<&HostPattern> = named.into_values().collect();
    let label = unused_label(&named, pattern);
    // A host that matches this name and no longer name below it.
    let fresh = |name: &str| format!("{label}.{name}");
    match pattern {
        None => {
            let all = named.iter().map(|host| match host {
                HostPattern::Exact(host) => Some(host.to_string()),
                HostPattern::Below(name) => Some(fresh(name)),
            });
            std::iter::once(None).chain(all).collect()
        }
        Some(HostPattern::Exact(host)) => vec![Some(host.to_string())],
        Some(HostPattern::Below(name)) => {
            let below = named.iter().map(|host| match host {
                HostPattern::Exact(host) => host.to_string(),
                HostPattern::Below(other) => fresh(other),
            });
            let below = below.filter(|host| is_below(host, name));
            let all: BTreeSet<String> = collect_sorted(std::iter::once(fresh(name)).chain(below));
            all.into_iter().map(Some).collect()
        }
    }
}

/// Returns whether a host of a route also matches `host`.
pub(super) fn takes(pattern: &HostPattern, host: &Host) -> bool {
    let Some(host) = host else { return false };
    match pattern {
        HostPattern::Exact(exact) => exact.to_string() == *host,
        HostPattern::Below(name) => is_below(host, name),
    }
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

/// Returns a label that no host of a route has.
fn unused_label(named: &[&HostPattern], pattern: Option<&HostPattern>) -> String {
    let labels = named
        .iter()
        .copied()
        .chain(pattern)
        .flat_map(|host| host.to_string().split('.').map(str::to_owned).collect::<Vec<_>>());
    let labels: BTreeSet<String> = collect_sorted(labels);
    let mut label = "host".to_owned();
    let mut number = 1;
    while labels.contains(&label) {
        number += 1;
        label = format!("host{number}");
    }
    label
}
