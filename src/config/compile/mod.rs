//! Reads the tables into the model: one file for each table. Every key is read here and nowhere else.
//!
//! A function here returns `None` only after it reported an error.

mod acme;
mod addresses;
pub(crate) mod admin;
mod authentication;
mod clients;
mod cors;
mod demo;
mod expect;
mod forwarding;
pub(super) mod headers;
mod hosts;
mod jwks;
mod jwt;
mod methods;
mod metrics;
mod observe;
mod proxy_protocol;
mod registration;
mod resilience;
mod routes;
mod scopes;
mod server;
mod shared_store;
mod socket;
mod store;
mod tls;
mod token_service;
mod upstreams;

use std::path::Path;

#[cfg(feature = "gateway")]
pub(super) use self::store::KINDS as STORE_KINDS;

use self::scopes::Names;
use super::model::{Config, TokenForwarding};
use super::reader::{Table, Value, read_all};

/// Reads the whole document.
pub(super) fn config(root: &mut Table<'_>, file: &Path) -> Option<Config> {
    // The files have been read before.
    root.take("include").map(|value| {
        value.each("paths and patterns: [\"conf.d/*.toml\"]", |item| item.path("the path of a file"))
    });
    let server = root.take("server");
    let mut server = server::server(server, root);
    let scopes = named(root, "scopes", "a table of scopes: name = \"description\"");
    let clients = named(root, "clients", "a table of clients: [clients.NAME]");
    let upstreams = named(root, "upstreams", "a table of upstreams: [upstreams.NAME]");
    let client_ids: Vec<&str> = clients.iter().map(|(name, _)| *name).collect();
    let names = Names {
        scopes: scopes.iter().map(|(name, _)| *name).collect(),
        upstreams: upstreams.iter().map(|(name, _)| *name).collect(),
    };
    let mut token_service = token_service::token_service(root, &server, &names);
    let routes = root.take("routes");
    if routes.as_ref().is_some_and(jwt::is_asked_for) {
        token_service.jwt.get_or_insert_with(jwt::defaults);
    }
    let store = store::store(root);
    let defaults = clients::Defaults {
        token_lifetime: token_service.token_lifetime,
        asks_for_certificates: server.tls.client_ca.is_some(),
    };
    let scopes = read_all(scopes, |name, value| scopes::scope(name, &value));
    let clients = read_all(clients, |id, value| clients::client(id, value, &names, &defaults));
    let upstreams = read_all(upstreams, upstreams::upstream);
    let endpoints = token_service.endpoints();
    let routes = routes.map(|value| {
        routes::routes(&value, &names, upstreams.as_deref().unwrap_or_default(), &endpoints, &server)
    });
    let acme = match &routes {
        // The hosts of routes that could not be read are unknown.
        Some(None) => Some(()),
        routes => {
            let routes = routes.as_ref().and_then(Option::as_deref).unwrap_or_default();
            acme::name_domains(&mut server.tls, &token_service, routes, root)
        }
    };
    let expectations = root.take("expect").map(|value| expect::expectations(&value, &client_ids));
    let security_log = root.take("security_log").map(|value| observe::security_log(&value));
    let tracing = root.take("tracing").map(|value| observe::tracing(&value));
    let metrics = root.take("metrics").map(|value| metrics::metrics(&value, &server));
    let admin = root.take("admin").map(|value| (admin::admin(&value, &server), value));
    let demo = match root.take("demo") {
        Some(value) => Some(demo::demo(&value, &server)?),
        None => None,
    };
    if let Some((Some(admin), value)) = &admin {
        let metrics = metrics.as_ref().and_then(Option::as_ref);
        admin::separate(value, admin, upstreams.as_deref().unwrap_or_default(), metrics, demo.as_ref());
    }
    acme?;
    let routes = routes.unwrap_or(Some(Vec::new()))?;
    // The value of an environment variable is known only now.
    if routes.iter().any(|route| route.forward_token == TokenForwarding::Jwt) {
        token_service.jwt.get_or_insert_with(jwt::defaults);
    }
    Some(Config {
        file: file.to_owned(),
        files: Vec::new(),
        included: Vec::new(),
        warnings: Vec::new(),
        server,
        token_service,
        store: store?,
        scopes: scopes?,
        clients: clients?,
        upstreams: upstreams?,
        routes,
        expectations: expectations.unwrap_or(Some(Vec::new()))?,
        security_log: security_log.map_or(Some(None), |log| log.map(Some))?,
        tracing: tracing.map_or(Some(None), |tracing| tracing.map(Some))?,
        metrics: metrics.map_or(Some(None), |metrics| metrics.map(Some))?,
        admin: admin.map_or(Some(None), |(admin, _)| admin.map(Some))?,
        demo,
    })
}

/// Returns the entries of a table whose keys are names. There are none if the table is left out.
fn named<'a>(root: &mut Table<'a>, key: &'static str, wanted: &str) -> Vec<(&'a str, Value<'a>)> {
    let value = root.take(key);
    // The secret of a client may be where the table of clients should be.
    let hidden = value.map(|value| if value.inner().is_table() { value } else { value.secret() });
    hidden.and_then(|value| value.table(wanted, Table::take_all)).unwrap_or_default()
}
