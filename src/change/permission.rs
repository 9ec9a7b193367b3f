//! Decides which changes only an owner may commit.
//!
//! The decision is based on the difference between two configurations, so it does not depend on whether
//! operations, a text or a rollback made the change. The texts are compared before any file that they name is
//! opened, so that an editor cannot find out whether a file exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

use super::addresses::OwnAddresses;
use super::raw::{self, SyntaxProblem};
use super::texts::Texts;
use crate::config::Origin;
use crate::sorting::collect_sorted;

/// The tables that an editor may change, unless a rule below forbids the change.
const EDITABLE: [&str; 4] = ["scopes", "clients", "routes", "upstreams"];
/// The keys of `[token_service]` that an editor may change.
const EDITABLE_TOKEN_SERVICE: [&str; 1] = ["token_lifetime"];
/// The keys of `[upstreams.NAME.tls]` that name files.
const FILES: [&str; 3] = ["ca", "client_certificate", "client_key"];
/// The key of the headers that a route adds to its requests. Upstreams are given keys in them.
const ROUTE_HEADERS: &str = ".request_headers.set.";
/// The prefix of the scopes of the admin API.
pub(crate) const ADMIN_SCOPES: &str = "tollgate:";

/// A difference that only an owner may commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub(crate) enum OwnerOnly {
    /// A key outside of the tables that editors may change.
    Key { key: String },
    /// A new `file:` or `env:` reference.
    Reference { key: String },
    /// A file that the configuration did not name before the change.
    File { key: String },
    /// A Unix socket, a link-local address, or an address of the gateway itself, as a target of requests.
    Address { key: String, address: String },
    /// Existing credentials would be sent to another server, or with another verification of its certificate.
    Credentials { key: String },
    /// JWTs with an audience that is in use would be sent to another server, or with another verification of
    /// its certificate.
    Audience { key: String, audience: String },
    /// A client that holds a scope of the admin API, before or after the change.
    AdminScope { client: String },
    /// The definition of a scope of the admin API.
    AdminScopeDefinition { scope: String },
}

impl fmt::Display for OwnerOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "{key} is changed by owners only"),
            Self::Reference { key } => {
                write!(
                    f,
                    "{key} would refer to another file or environment variable, which only owners may add"
                )
            }
            Self::File { key } => write!(f, "{key} would name another file, which only owners may add"),
            Self::Address { key, address } => write!(
                f,
                "{key} would send requests to {address}: a socket, a link-local address or the gateway itself, which \
                 only owners may add"
            ),
            Self::Credentials { key } => write!(
                f,
                "{key} would be sent to another server, or with other verification of its certificate, which only \
                 owners may change"
            ),
            Self::Audience { key, audience } => write!(
                f,
                "{key} would send JWTs for {audience:?} to another server, or with other verification of its \
                 certificate, which only owners may change"
            ),
            Self::AdminScope { client } => write!(
                f,
                "client {client:?} holds a scope that begins with {ADMIN_SCOPES:?}, and only owners may change such clients"
            ),
            Self::AdminScopeDefinition { scope } => {
                write!(f, "the scope {scope:?} is one of the admin API, which only owners may change")
            }
        }
    }
}

/// Lists the differences that only an owner may commit, each once. No file that the texts name is opened.
///
/// # Errors
/// Fails if one of the texts is not valid TOML.
pub(crate) fn owner_only(before: &Texts, after: &Texts) -> Result<Vec<OwnerOnly>, SyntaxProblem> {
    let (before, after) = (raw::merged(before)?, raw::merged(after)?);
    let mut found = BTreeSet::new();
    keys(&before, &after, &mut found);
    references(&before, &after, &mut found);
    files(&before, &after, &mut found);
    addresses(&before, &after, &mut found);
    credentials(&before, &after, &mut found);
    audiences(&before, &after, &mut found);
    admin_scopes(&before, &after, &mut found);
    Ok(found.into_iter().collect())
}

fn keys(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let mut differing = |prefix: &str, before: Option<&Json>, after: Option<&Json>, editable: &[&str]| {
        let names = |value: Option<&Json>| {
            let table = value.and_then(Json::as_object);
            table.into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        let all: BTreeSet<String> = collect_sorted(names(before).into_iter().chain(names(after)));
        for key in all.into_iter().filter(|key| !editable.contains(&key.as_str())) {
            if before.and_then(|table| table.get(&key)) != after.and_then(|table| table.get(&key)) {
                found.insert(OwnerOnly::Key { key: format!("{prefix}{key}") });
            }
        }
    };
    let editable: Vec<&str> = EDITABLE.into_iter().chain(["token_service"]).collect();
    differing("", Some(before), Some(after), &editable);
    let service = "token_service";
    match (before.get(service), after.get(service)) {
        (None | Some(Json::Object(_)), None | Some(Json::Object(_))) => {
            differing("token_service.", before.get(service), after.get(service), &EDITABLE_TOKEN_SERVICE)
        }
        (one, other) if one != other => {
            found.insert(OwnerOnly::Key { key: service.to_owned() });
        }
        _ => {}
    }
}

/// A use of a value from the environment, from a file or from the configuration itself: the key, the value,
/// and the server that receives it.
type Use = (String, String, String);

/// Returns all values that `is_meant` accepts, with each server that receives them. The servers of a route's
/// header are those of the route's upstream. A value that no server receives has one entry.
fn uses(root: &Json, is_meant: impl Fn(&str, &str) -> bool) -> BTreeSet<Use> {
    let mut uses = BTreeSet::new();
    let mut add = |value: &Json, path: &str, receivers: &[String]| {
        raw::texts(value, path, &mut |key, text| {
            if is_meant(key, text) {
                for receiver in receivers {
                    uses.insert((key.to_owned(), text.to_owned(), receiver.clone()));
                }
            }
        });
    };
    let Some(tables) = root.as_object() else { return uses };
    for (name, value) in tables {
        match name.as_str() {
            "upstreams" => {
                for (upstream, table) in raw::entries(root, "upstreams") {
                    add(table, &format!("upstreams.{upstream}"), &receivers(root, upstream));
                }
            }
            "routes" => {
                for route in raw::items(Some(value)) {
                    let upstream = route.get("upstream").and_then(Json::as_str).unwrap_or_default();
                    add(route, &format!("routes to {upstream}"), &receivers(root, upstream));
                }
            }
            _ => add(value, name, &[String::new()]),
        }
    }
    uses
}

/// Returns the servers of an upstream, each with the verification of its certificate.
fn receivers(root: &Json, upstream: &str) -> Vec<String> {
    let upstream = root.get("upstreams").and_then(|upstreams| upstreams.get(upstream));
    let tls = upstream.and_then(|upstream| upstream.get("tls")).unwrap_or(&Json::Null);
    let servers = servers(upstream).map(|server| format!("{server} {tls}"));
    let servers: Vec<String> = servers.collect();
    if servers.is_empty() { vec![String::new()] } else { servers }
}

fn servers(upstream: Option<&Json>) -> impl Iterator<Item = &str> {
    let servers = raw::items(upstream.and_then(|upstream| upstream.get("servers")));
    servers.iter().filter_map(|server| match server {
        Json::String(url) => Some(url.as_str()),
        table => table.get("url")?.as_str(),
    })
}

fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

fn references(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let known = uses(before, |_, text| is_reference(text));
    for (key, value, receiver) in uses(after, |_, text| is_reference(text)) {
        let used = |other: &Use| other.0 == key && other.1 == value;
        if known.contains(&(key.clone(), value.clone(), receiver)) {
            continue;
        }
        found.insert(if known.iter().any(used) {
            OwnerOnly::Credentials { key }
        } else {
            OwnerOnly::Reference { key }
        });
    }
}

fn files(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let tls = |root: &Json, upstream: &str, key: &str| {
        root.get("upstreams").and_then(|all| all.get(upstream)?.get("tls")?.get(key)).cloned()
    };
    for (upstream, _) in raw::entries(after, "upstreams") {
        for key in FILES {
            let new = tls(after, upstream, key);
            if new.is_some() && new != tls(before, upstream, key) {
                found.insert(OwnerOnly::File { key: format!("upstreams.{upstream}.tls.{key}") });
            }
        }
    }
}

fn addresses(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let own = OwnAddresses::of(&[before, after]);
    let targets = |root: &Json| {
        let mut targets = BTreeSet::new();
        for (name, upstream) in raw::entries(root, "upstreams") {
            for server in servers(Some(upstream)) {
                targets.insert((format!("upstreams.{name}.servers"), server.to_owned()));
            }
        }
        for (id, client) in raw::entries(root, "clients") {
            if let Some(uri) = client.get("jwks_uri").and_then(Json::as_str) {
                targets.insert((format!("clients.{id}.jwks_uri"), uri.to_owned()));
            }
        }
        targets
    };
    let known = targets(before);
    for (key, address) in targets(after).into_iter().filter(|target| !known.contains(target)) {
        let forbidden = match Origin::parse_with_rest(&address) {
            // A text that is not a URL names a socket, or is an error that the check reports.
            Err(_) => true,
            Ok((origin, _)) => own.forbid(&origin.host, origin.port),
        };
        if forbidden {
            found.insert(OwnerOnly::Address { key, address });
        }
    }
}

/// An existing literal credential may only be sent to the servers that received it before. A new one may be
/// sent to any server.
fn credentials(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let is_literal = |key: &str, text: &str| {
        (key.ends_with(".credentials.value")
            || key.ends_with(".credentials.basic.password")
            || key.contains(ROUTE_HEADERS))
            && !is_reference(text)
    };
    let known = uses(before, is_literal);
    for (key, value, receiver) in uses(after, is_literal) {
        let same = |other: &&Use| name_of_use(&other.0) == name_of_use(&key) && other.1 == value;
        let used = known.iter().any(|other| same(&other));
        if used && !known.iter().filter(same).any(|other| other.2 == receiver) {
            found.insert(OwnerOnly::Credentials { key });
        }
    }
}

/// Returns what two uses of the same credential have in common: the name of the header on any route, or the
/// key of an upstream.
fn name_of_use(key: &str) -> &str {
    key.split_once(ROUTE_HEADERS).map_or(key, |(_, header)| header)
}

/// A server that gets JWTs for an audience can use them wherever that audience accepts them, as the clients
/// whose requests it gets. JWTs for an audience that is in use may only be sent to the servers that the
/// audience had before.
fn audiences(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let sends_jwts = |root: &Json, upstream: &str| {
        raw::items(root.get("routes")).iter().any(|route| {
            let text = |key: &str| route.get(key).and_then(Json::as_str);
            text("upstream") == Some(upstream) && text("forward_token") == Some("jwt")
        })
    };
    let audience = |name: &str, upstream: &Json| {
        let own = upstream.get("jwt_audience").and_then(Json::as_str);
        own.unwrap_or(name).to_owned()
    };
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, upstream) in raw::entries(before, "upstreams") {
        if upstream.get("jwt_audience").is_some() || sends_jwts(before, name) {
            known.entry(audience(name, upstream)).or_default().extend(receivers(before, name));
        }
    }
    for (name, upstream) in
        raw::entries(after, "upstreams").into_iter().filter(|(name, _)| sends_jwts(after, name))
    {
        let audience = audience(name, upstream);
        let is_new = |receiver: &String| known.get(&audience).is_some_and(|known| !known.contains(receiver));
        if receivers(after, name).iter().any(is_new) {
            found.insert(OwnerOnly::Audience { key: format!("upstreams.{name}"), audience });
        }
    }
}

fn admin_scopes(before: &Json, after: &Json, found: &mut BTreeSet<OwnerOnly>) {
    let holds = |client: Option<&Json>| {
        ["scopes", "default_scopes"].iter().any(|key| {
            raw::items(client.and_then(|client| client.get(key)))
                .iter()
                .any(|scope| scope.as_str().is_some_and(|scope| scope.starts_with(ADMIN_SCOPES)))
        })
    };
    let client = |root: &Json, id: &str| root.get("clients").and_then(|clients| clients.get(id)).cloned();
    let ids = [before, after].into_iter().flat_map(|root| raw::entries(root, "clients"));
    let ids: BTreeSet<&str> = collect_sorted(ids.map(|(id, _)| id));
    for id in ids {
        let (old, new) = (client(before, id), client(after, id));
        if old != new && (holds(old.as_ref()) || holds(new.as_ref())) {
            found.insert(OwnerOnly::AdminScope { client: id.to_owned() });
        }
    }
    let scope = |root: &Json, name: &str| root.get("scopes").and_then(|scopes| scopes.get(name)).cloned();
    let names = [before, after].into_iter().flat_map(|root| raw::entries(root, "scopes"));
    let names: BTreeSet<&str> = collect_sorted(names.map(|(name, _)| name));
    for name in names.into_iter().filter(|name| name.starts_with(ADMIN_SCOPES)) {
        if scope(before, name) != scope(after, name) {
            found.insert(OwnerOnly::AdminScopeDefinition { scope: name.to_owned() });
        }
    }
}
