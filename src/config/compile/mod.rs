//! From tables to the model: one file a table, every key read here and nowhere else.
//!
//! A function here gives `None` only after it reported why.

mod authentication;
mod clients;
mod cors;
mod headers;
mod jwks;
mod metrics;
mod resilience;
mod routes;
mod server;
mod token_service;
mod upstreams;

use std::{net::SocketAddr, path::Path};

use super::{
    address::{AddressRange, Origin},
    error::ErrorKind,
    model::{Config, Demo, Scope, Server},
    reader::{Table, Value},
    suggest,
};
use crate::oauth::scope::Scopes;

/// What one table may need to know of the others. Names count even where their own tables are wrong.
pub(super) struct Names<'a> {
    scopes: Vec<&'a str>,
    upstreams: Vec<&'a str>,
}

/// Reads the whole document.
pub(super) fn config(root: &mut Table<'_>, file: &Path) -> Option<Config> {
    let server = root.take("server");
    let server = server::server(server, root);
    let scopes = named(root, "scopes", "a table of scopes: name = \"description\"");
    let clients = named(root, "clients", "a table of clients: [clients.NAME]");
    let upstreams = named(root, "upstreams", "a table of upstreams: [upstreams.NAME]");
    let names = Names {
        scopes: scopes.iter().map(|(name, _)| *name).collect(),
        upstreams: upstreams.iter().map(|(name, _)| *name).collect(),
    };
    let token_service = token_service::token_service(root, &server);
    let defaults = clients::Defaults {
        token_lifetime: token_service.token_lifetime,
        asks_for_certificates: server.tls.client_ca.is_some(),
    };
    let scopes = compile_all(scopes, |name, value| scope(name, &value));
    let clients = compile_all(clients, |id, value| clients::client(id, value, &names, &defaults));
    let upstreams = compile_all(upstreams, upstreams::upstream);
    let endpoints = token_service.endpoints();
    let routes = root.take("routes").map(|value| {
        routes::routes(&value, &names, upstreams.as_deref().unwrap_or_default(), &endpoints, &server.limits)
    });
    let metrics = root.take("metrics").map(|value| metrics::metrics(&value, &server));
    let demo = match root.take("demo") {
        Some(value) => Some(demo(&value, &server)?),
        None => None,
    };
    Some(Config {
        file: file.to_owned(),
        files: Vec::new(),
        server,
        token_service,
        scopes: scopes?,
        clients: clients?,
        upstreams: upstreams?,
        routes: routes.unwrap_or(Some(Vec::new()))?,
        metrics: metrics.map_or(Some(None), |metrics| metrics.map(Some))?,
        demo,
    })
}

/// The entries of a table whose keys are names; nothing where it is left out.
fn named<'a>(root: &mut Table<'a>, key: &'static str, wanted: &str) -> Vec<(&'a str, Value<'a>)> {
    let value = root.take(key);
    // A client's secret may stand where the table of clients should.
    let hidden = value.map(|value| if value.inner().is_table() { value } else { value.secret() });
    hidden.and_then(|value| value.table(wanted, Table::take_all)).unwrap_or_default()
}

/// Compiles every entry before the first bad one counts.
fn compile_all<'a, T>(
    entries: Vec<(&'a str, Value<'a>)>,
    mut compile: impl FnMut(&'a str, Value<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let compiled: Vec<Option<T>> = entries.into_iter().map(|(name, value)| compile(name, value)).collect();
    compiled.into_iter().collect()
}

fn scope(name: &str, value: &Value<'_>) -> Option<Scope> {
    if name.contains(' ') {
        value.key_problem(ErrorKind::InvalidValue, "a scope name has no spaces in it (RFC 6749 §3.3)");
    } else if let Err(error) = Scopes::parse(name) {
        value.key_problem(ErrorKind::InvalidValue, format!("not a scope name: {error}"));
    }
    let description = value.string("a description of the scope, for people")?;
    Some(Scope { name: name.to_owned(), description: description.to_owned(), place: value.place() })
}

/// A list of scope names, each of them in `[scopes]`.
fn scopes(value: &Value<'_>, names: &Names<'_>) -> Option<Scopes> {
    let tokens = value.set_of("scope names", |item| {
        let token = item.string("a scope name")?;
        if token.contains(' ') {
            return item
                .invalid("is several scopes in one string; write each in its own: [\"read\", \"write\"]");
        }
        if let Err(error) = Scopes::parse(token) {
            return item.invalid(error.to_string());
        }
        if !names.scopes.contains(&token) {
            let hint = suggest::hint(token, names.scopes.iter().copied());
            return item.fail(ErrorKind::UnknownName, format!("does not stand in [scopes]{hint}"));
        }
        Some(token)
    })?;
    Scopes::from_tokens(tokens).ok()
}

/// A list of address ranges.
fn address_ranges(value: &Value<'_>) -> Option<Vec<AddressRange>> {
    value.set_of("address ranges such as \"10.0.0.0/8\"", |item| {
        let text = item.string("a range of addresses such as \"10.0.0.0/8\"")?;
        AddressRange::parse(text).map_or_else(|error| item.invalid(error.to_string()), Some)
    })
}

/// A URL that is an identifier or names a document: `https`, or `http` on loopback; no fragment.
fn secure_url<'a>(value: &Value<'a>, what: &str, query_allowed: bool) -> Option<&'a str> {
    let text = value.string(format_args!("{what}, such as \"https://gateway.example.com\""))?;
    let (origin, rest) = match Origin::parse_with_rest(text) {
        Ok(parts) => parts,
        Err(error) => return value.invalid(format!("{error}: it must be {what}")),
    };
    if origin.scheme.as_str() == "http" && !origin.host.is_loopback() {
        return value.invalid(format!("must be https:// (http:// will do on loopback only): it is {what}"));
    }
    if rest.contains('#') || (!query_allowed && rest.contains('?')) {
        let unwanted = if query_allowed { "fragment" } else { "query and no fragment (RFC 8414 §2)" };
        return value.invalid(format!("must have no {unwanted}: it is {what}"));
    }
    if origin.port == 0 {
        return value.invalid("must not have port 0");
    }
    Some(text)
}

fn demo(value: &Value<'_>, server: &Server) -> Option<Demo> {
    const WANTED: &str = "an address and port on loopback, such as \"127.0.0.1:9000\"";
    let listen = value.table("a table: [demo]", |table| {
        let value = table.need("listen", WANTED)?;
        let text = value.string(WANTED)?;
        match text.parse::<SocketAddr>() {
            Ok(address) if !address.ip().is_loopback() => value.fail(
                ErrorKind::InsecureListener,
                format!("answers without a token, so it must be {WANTED}"),
            ),
            Ok(address) if server::taken(&server.listen, address) => {
                value.fail(ErrorKind::Duplicate, "the gateway itself listens there ([server] listen)")
            }
            Ok(address) => Some(address),
            Err(_) => value.invalid(format!("must be {WANTED}")),
        }
    })??;
    Some(Demo { listen, place: value.place() })
}
