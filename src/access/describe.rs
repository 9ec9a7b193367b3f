//! Describes in words what routes require, and under which conditions they accept requests.

use std::fmt::Display;

use http::HeaderName;

use crate::config::settings::upstreams::IDLE_TIMEOUT;
use crate::config::{
    Access, AddressRules, BodyLimit, Config, CorsOrigins, HeaderChanges, IdentityHeader, IdentityHeaders,
    Methods, Mode, Route, ShownDuration, ShownSize, TokenForwarding, Upstream, UpstreamHost,
};
use crate::oauth::scope::{Requirement, Scopes};

/// Describes what a route requires of a request.
pub(crate) fn needs(route: &Route) -> String {
    let (requirement, audience) = match &route.access {
        Access::Public => return "no token (public)".to_owned(),
        Access::Token { requirement, audience } => (requirement, audience),
    };
    let scopes = scopes(requirement);
    let needed = match audience {
        None => scopes,
        Some(audience) => format!("{scopes}, for the audience {audience}"),
    };
    match route.mode {
        Mode::Enforce => needed,
        Mode::Shadow => format!("{needed} (shadow mode: refuses nobody)"),
    }
}

/// Describes the scopes that a requirement names.
pub(crate) fn scopes(requirement: &Requirement) -> String {
    match requirement {
        Requirement::AnyToken => "any valid token".to_owned(),
        Requirement::All(scopes) if scopes.iter().count() == 1 => format!("scope {scopes}"),
        Requirement::All(scopes) => format!("scopes {}", enumerated(scopes, "and")),
        Requirement::Any(scopes) if scopes.iter().count() == 1 => format!("scope {scopes}"),
        Requirement::Any(scopes) => format!("scope {}", enumerated(scopes, "or")),
    }
}

fn enumerated(scopes: &Scopes, conjunction: &str) -> String {
    let scopes: Vec<&str> = scopes.iter().collect();
    match scopes.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {conjunction} {last}", rest.join(", ")),
        _ => scopes.concat(),
    }
}

/// Returns which requests a route accepts: its methods, and its host with the pattern. A prefix ends with
/// `/…`.
pub(crate) fn requests(route: &Route) -> (String, String) {
    let methods = match &route.methods {
        Methods::All => "any".to_owned(),
        Methods::Only(methods) => methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(","),
    };
    let host = route.host_names();
    let path = match route.path.as_str() {
        prefix if route.path.is_prefix() => format!("{host}{}/…", prefix.trim_end_matches('/')),
        path => format!("{host}{path}"),
    };
    (methods, path)
}

/// Returns the name of a route's upstream.
pub(crate) fn upstream<'c>(config: &'c Config, route: &Route) -> &'c str {
    config.upstream_of(route).map_or("?", |upstream| &upstream.name)
}

/// Describes the conditions of a route and of its upstream: everything that does not depend on the client.
pub(crate) fn terms(config: &Config, route: &Route) -> Vec<String> {
    let mut terms = addresses(&route.addresses);
    terms.extend(route.rate_limit.map(|rate| rate.to_string()));
    let by_address = |rate| format!("{rate} for each address");
    terms.extend(route.rate_limit_by_address.map(by_address));
    let of_all_routes = config.server.limits.rate_limit_by_address;
    terms.extend(of_all_routes.map(|rate| by_address(rate) + ", to all routes together"));
    terms.extend(route.max_in_flight.map(|most| format!("{most} at once")));
    let upstream = config.upstream_of(route);
    terms.extend(upstream.and_then(|upstream| {
        upstream.max_in_flight.map(|most| format!("{most} at once to upstream {}", upstream.name))
    }));
    terms.extend(route.cors.as_ref().map(|cors| match &cors.origins {
        CorsOrigins::Any => "pages of any origin".to_owned(),
        CorsOrigins::Only(origins) => format!("pages of {}", listed(origins)),
    }));
    match route.forward_token {
        TokenForwarding::Removed => {}
        TokenForwarding::Kept => terms.push("the upstream sees the token".to_owned()),
        TokenForwarding::Jwt => {
            let audience = upstream.map_or("", Upstream::audience);
            terms.push(format!("the upstream gets a JWT for {audience}"));
        }
    }
    terms.extend(forwarding(route, upstream));
    terms
}

/// Describes what a route changes in its requests, in addition to what every route changes. The path is not
/// included.
pub(super) fn forwarding(route: &Route, upstream: Option<&Upstream>) -> Vec<String> {
    let mut changes = Vec::new();
    changes.extend(
        route
            .token_header
            .as_ref()
            .map(|name| format!("the token is in {name}, and Authorization is passed on")),
    );
    changes.extend(match upstream.map(|upstream| &upstream.host) {
        Some(UpstreamHost::Upstream) => Some("the upstream gets its own Host".to_owned()),
        Some(UpstreamHost::Name(name)) => Some(format!("the upstream gets Host {name}")),
        Some(UpstreamHost::Preserve) | None => None,
    });
    let IdentityHeaders { client_id, scope } = &route.identity_headers;
    for (what, header) in [("client id", client_id), ("scopes", scope)] {
        match header {
            IdentityHeader::Usual => {}
            IdentityHeader::Named(name) => changes.push(format!("{what} in {name}")),
            IdentityHeader::Off => changes.push(format!("the upstream does not get the {what}")),
        }
    }
    let HeaderChanges { remove, set, .. } = &route.request_headers;
    if !remove.is_empty() {
        changes.push(format!("{} removed", listed(remove)));
    }
    if !set.is_empty() {
        let names: Vec<&HeaderName> = set.iter().map(|(name, _)| name).collect();
        changes.push(format!("{} set", listed(&names)));
    }
    changes.extend(
        upstream
            .map(|upstream| upstream.idle_timeout)
            .filter(|time| *time != IDLE_TIMEOUT.default)
            .map(|time| format!("an idle connection to the upstream is kept for {}", ShownDuration(time))),
    );
    if !route.map_response_urls {
        changes.push("URLs and cookies of responses stay as they are".to_owned());
    }
    changes.extend(
        route
            .buffer_request
            .map(|most| format!("the body is read whole, up to {}, before it is sent on", ShownSize(most))),
    );
    changes
}

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

/// Describes the maximum size of a request body.
pub(crate) fn body_limit(route: &Route) -> String {
    match route.max_body_size {
        BodyLimit::Unlimited => "a body of any size".to_owned(),
        BodyLimit::Bytes(most) => format!("a body of at most {}", ShownSize(most)),
    }
}

fn listed(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
