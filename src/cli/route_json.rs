//! A route as scripts see it.

use serde_json::{Map, Value, json};

use crate::access::describe;
use crate::config::{
    Access, AddressRange, BodyLimit, Config, CorsOrigins, Methods, Mode, Route, TokenForwarding,
};
use crate::oauth::scope::Requirement;

/// Returns the key that gateway.toml has for the route's pattern.
pub(super) fn path_key(route: &Route) -> &'static str {
    if route.path.is_prefix() { "prefix" } else { "path" }
}

/// Returns a route as JSON, with the keys of gateway.toml.
pub(super) fn route(config: &Config, route: &Route) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert(path_key(route).to_owned(), json!(route.path.as_str()));
    let hosts: Vec<String> = route.hosts.iter().map(ToString::to_string).collect();
    match hosts.as_slice() {
        [] => {}
        [host] => drop(object.insert("host".to_owned(), json!(host))),
        hosts => drop(object.insert("host".to_owned(), json!(hosts))),
    }
    if let Methods::Only(methods) = &route.methods {
        let methods: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
        object.insert("methods".to_owned(), json!(methods));
    }
    match &route.access {
        Access::Public => {
            object.insert("access".to_owned(), json!("public"));
        }
        Access::Token { requirement, audience } => {
            object.insert("access".to_owned(), json!("token"));
            let key = if matches!(requirement, Requirement::Any(_)) { "any_scope" } else { "scopes" };
            let scopes: Vec<&str> =
                requirement.scopes().into_iter().flat_map(|scopes| scopes.iter()).collect();
            object.insert(key.to_owned(), json!(scopes));
            if let Some(audience) = audience {
                object.insert("audience".to_owned(), json!(audience));
            }
        }
    }
    if route.mode == Mode::Shadow {
        object.insert("mode".to_owned(), json!("shadow"));
    }
    let texts = |items: Vec<String>| (!items.is_empty()).then(|| json!(items));
    let ranges = |ranges: &[AddressRange]| texts(ranges.iter().map(ToString::to_string).collect());
    let cors = route.cors.as_ref().map(|cors| match &cors.origins {
        CorsOrigins::Any => json!("*"),
        CorsOrigins::Only(origins) => json!(origins.iter().map(ToString::to_string).collect::<Vec<_>>()),
    });
    let forward_token = match route.forward_token {
        TokenForwarding::Removed => None,
        TokenForwarding::Jwt => Some(json!("jwt")),
        TokenForwarding::Kept => Some(json!(true)),
    };
    let terms = [
        ("allow", ranges(&route.addresses.allow)),
        ("deny", ranges(&route.addresses.deny)),
        ("rate_limit", route.rate_limit.map(|rate| json!(rate.to_string()))),
        ("rate_limit_by_address", route.rate_limit_by_address.map(|rate| json!(rate.to_string()))),
        ("max_in_flight", route.max_in_flight.map(|most| json!(most))),
        ("cors_origins", cors),
        ("forward_token", forward_token),
        (
            "max_body_size",
            match route.max_body_size {
                BodyLimit::Unlimited => None,
                BodyLimit::Bytes(most) => Some(json!(most)),
            },
        ),
    ];
    for (key, value) in terms {
        object.extend(value.map(|value| (key.to_owned(), value)));
    }
    object.insert("upstream".to_owned(), json!(describe::upstream(config, route)));
    let file = config.file_of(route.position);
    if file != config.file {
        object.insert("file".to_owned(), json!(file));
    }
    object.insert("line".to_owned(), json!(route.position.line));
    object
}
