//! On which terms a route takes requests, in words: what does not depend on who asks, or only on how often.

use std::fmt::Display;

use crate::config::{AddressRules, BodyLimit, Config, CorsOrigins, Route, ShownSize};

/// The terms of a route that its file gives it, its upstream's too.
pub(super) fn of(config: &Config, route: &Route) -> Vec<String> {
    let mut terms = addresses(&route.addresses);
    terms.extend(route.rate_limit.map(|rate| rate.to_string()));
    terms.extend(route.max_in_flight.map(|most| format!("{most} at once")));
    let upstream = config.upstream_of(route);
    terms.extend(upstream.and_then(|upstream| {
        upstream.max_in_flight.map(|most| format!("{most} at once to upstream {}", upstream.name))
    }));
    terms.extend(route.cors.as_ref().map(|cors| match &cors.origins {
        CorsOrigins::Any => "pages of any origin".to_owned(),
        CorsOrigins::Only(origins) => format!("pages of {}", listed(origins)),
    }));
    if route.forward_token {
        terms.push("the upstream sees the token".to_owned());
    }
    terms
}

/// From where requests are taken.
fn addresses(rules: &AddressRules) -> Vec<String> {
    let mut terms = Vec::new();
    if !rules.allow.is_empty() {
        terms.push(format!("only from {}", listed(&rules.allow)));
    }
    if !rules.deny.is_empty() {
        terms.push(format!("not from {}", listed(&rules.deny)));
    }
    terms
}

/// How long a body may be.
pub(super) fn body(route: &Route) -> String {
    match route.max_body_size {
        BodyLimit::Unlimited => "a body of any size".to_owned(),
        BodyLimit::Bytes(most) => format!("a body of at most {}", ShownSize(most)),
    }
}

fn listed(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
