//! `tollgate routes`: which client gets where.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::access::{self, Reach};
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::{output, terms};
use crate::config::{Access, AddressRange, BodyLimit, Client, Config, CorsOrigins, Methods, Route};
use crate::oauth::scope::Requirement;

/// What a page or a window of the usual size takes.
const NARROWEST: usize = 80;

pub(super) fn routes(path: &Path, json: bool) -> Result<(), Failure> {
    let config = read_config(path)?;
    let routes = by_specificity(&config);
    if json {
        let routes: Vec<Value> = routes.iter().map(|route| as_json(&config, route)).collect();
        return output::print(&output::json(&Value::Array(routes)));
    }
    if routes.is_empty() {
        return output::print("There are no routes: every path is 404.\n");
    }
    let table = table(&config, &routes);
    let text =
        if output::width(&table) <= width() { output::columns(&table) } else { list(&config, &routes) };
    output::print(&text)
}

fn width() -> usize {
    let stdout = io::stdout();
    let window = if stdout.is_terminal() { rustix::termios::tcgetwinsize(stdout).ok() } else { None };
    window.map_or(NARROWEST, |window| usize::from(window.ws_col).max(NARROWEST))
}

/// As the route table tries them: of a host before of none; exact paths, then those with `{name}`, then prefixes,
/// the longest first; where they differ first, a literal before a `{name}`.
fn by_specificity(config: &Config) -> Vec<&Route> {
    let mut routes: Vec<&Route> = config.routes.iter().collect();
    routes.sort_by_cached_key(|route| {
        let host = route.host.as_ref().map(ToString::to_string);
        let text = route.path.as_str();
        let names: Vec<bool> = text.split('/').skip(1).map(|segment| segment.starts_with('{')).collect();
        let (kind, length) = match route.path.is_prefix() {
            false => (u8::from(route.path.has_names()), 0),
            true => (2, if text == "/" { 0 } else { names.len() }),
        };
        let names = if kind == 0 { Vec::new() } else { names };
        (host.is_none(), host, kind, Reverse(length), names, text.to_owned(), route.place)
    });
    routes
}

fn table(config: &Config, routes: &[&Route]) -> Vec<Vec<String>> {
    let terms: Vec<String> = routes.iter().map(|route| terms::of(config, route).join("; ")).collect();
    let on_terms = terms.iter().any(|terms| !terms.is_empty());
    let mut head = ["METHODS", "PATH", "NEEDS"].map(str::to_owned).to_vec();
    head.extend(on_terms.then(|| "TERMS".to_owned()));
    head.extend(config.clients.iter().map(|client| client.id.to_string()));
    let mut rows = vec![head];
    for (route, terms) in routes.iter().zip(terms) {
        let (methods, path) = access::requests(route);
        let mut row = vec![methods, path, access::needs(route)];
        row.extend(on_terms.then_some(terms));
        row.extend(config.clients.iter().map(|client| match standing(client, route) {
            (true, None) => "yes".to_owned(),
            (true, Some(how)) => format!("yes ({how})"),
            (false, why) => format!("no ({})", why.unwrap_or_default()),
        }));
        rows.push(row);
    }
    rows
}

/// Whether a client gets through a route; and how, where it must show something, or why not.
fn standing(client: &Client, route: &Route) -> (bool, Option<String>) {
    match access::reach(client, route) {
        Reach::Yes(bound) => (true, bound.words().map(|words| format!("with {words}"))),
        Reach::No(reason) => (false, Some(reason.to_owned())),
        Reach::Audience(audience) => (false, Some(format!("not for {audience}"))),
        Reach::Lacks(scopes, any) => {
            (false, Some(format!("lacks {}", scopes.join(if any { " or " } else { ", " }))))
        }
    }
}

/// The same line by line, where the table is too wide to read.
fn list(config: &Config, routes: &[&Route]) -> String {
    let mut text = String::new();
    for route in routes {
        let (methods, path) = access::requests(route);
        let (needs, upstream) = (access::needs(route), access::upstream(config, route));
        let _ = writeln!(text, "{methods} {path}  ->  {upstream}\n  needs {needs}");
        for term in terms::of(config, route) {
            let _ = writeln!(text, "  terms {term}");
        }
        let mut yes = Vec::new();
        for client in &config.clients {
            let (through, remark) = standing(client, route);
            let remark = remark.map(|remark| format!(" ({remark})")).unwrap_or_default();
            if through {
                yes.push(format!("{}{remark}", client.id));
            } else {
                let _ = writeln!(text, "  no   {}{remark}", client.id);
            }
        }
        for client in yes {
            let _ = writeln!(text, "  yes  {client}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// A route as scripts see it; what a token needs stands under the key that gateway.toml has for it.
pub(super) fn route_json(config: &Config, route: &Route) -> Map<String, Value> {
    let mut object = Map::new();
    let key = if route.path.is_prefix() { "prefix" } else { "path" };
    object.insert(key.to_owned(), json!(route.path.as_str()));
    if let Some(host) = &route.host {
        object.insert("host".to_owned(), json!(host.to_string()));
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
    let texts = |items: Vec<String>| (!items.is_empty()).then(|| json!(items));
    let ranges = |ranges: &[AddressRange]| texts(ranges.iter().map(ToString::to_string).collect());
    let cors = route.cors.as_ref().map(|cors| match &cors.origins {
        CorsOrigins::Any => json!("*"),
        CorsOrigins::Only(origins) => json!(origins.iter().map(ToString::to_string).collect::<Vec<_>>()),
    });
    let terms = [
        ("allow", ranges(&route.addresses.allow)),
        ("deny", ranges(&route.addresses.deny)),
        ("rate_limit", route.rate_limit.map(|rate| json!(rate.to_string()))),
        ("max_in_flight", route.max_in_flight.map(|most| json!(most))),
        ("cors_origins", cors),
        ("forward_token", route.forward_token.then_some(Value::Bool(true))),
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
    object.insert("upstream".to_owned(), json!(access::upstream(config, route)));
    object.insert("line".to_owned(), json!(route.place.line));
    object
}

fn as_json(config: &Config, route: &Route) -> Value {
    let mut object = route_json(config, route);
    let clients: Map<String, Value> = config
        .clients
        .iter()
        .map(|client| {
            let (allowed, reason, missing, bound) = match access::reach(client, route) {
                Reach::Yes(bound) => (true, None, Vec::new(), bound.names()),
                Reach::No(reason) => (false, Some(reason), Vec::new(), Vec::new()),
                Reach::Audience(_) => (false, Some("audience"), Vec::new(), Vec::new()),
                Reach::Lacks(missing, _) => (false, Some("scope missing"), missing, Vec::new()),
            };
            let mut value = json!({ "allowed": allowed, "reason": reason, "missing": missing });
            if !bound.is_empty() {
                value["sender_constraint"] = json!(bound);
            }
            if let Some(rate) = client.rate_limit {
                value["rate_limit"] = json!(rate.to_string());
            }
            (client.id.to_string(), value)
        })
        .collect();
    object.insert("clients".to_owned(), Value::Object(clients));
    Value::Object(object)
}
