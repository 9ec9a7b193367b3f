//! The page of one client.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::Path;

use super::clients::{status, url};
use super::routes::name as route_name;
use crate::access::matrix::matrix;
use crate::admin::console::view::clients::{ClientPage, SecretRow};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::Choice;
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::wording;
use crate::admin::problem::Problem;
use crate::config::{Client, Config, ShownDuration, grouped};

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    let config = visit.config();
    let client = config.client(&id).ok_or_else(|| Problem::not_found(format!("there is no client \"{id}\"")))?;
    page(&visit, &config, client, Errors::default())
}

fn page(visit: &Visit, config: &Config, client: &Client, errors: Errors) -> Answer {
    let id = client.id.as_str();
    let held = |scope: &str| client.scopes.contains(scope);
    let scopes = config.scopes.iter().map(|scope| Choice::new(&*scope.name, &*scope.description, held(&scope.name)));
    let defaults = client.scopes.iter().map(|scope| Choice::new(scope, "", client.default_scopes.contains(scope)));
    let [credentials, introspection] = [client.capabilities.client_credentials, client.capabilities.introspection];
    let held_capabilities = [("client_credentials", credentials), ("introspection", introspection)];
    let reached = matrix(config).into_iter().filter(|row| {
        row.cells.iter().any(|(other, reach)| other.id == client.id && reach.is_allowed())
    });
    let secrets = secrets(visit, client);
    let page = ClientPage {
        errors,
        id: id.to_owned(),
        url: url(id),
        badges: vec![status(client)],
        methods: methods(client),
        capabilities: vec![
            Choice::new("client_credentials", "may get tokens for itself", credentials),
            Choice::new("introspection", "may ask about the tokens of every client", introspection),
        ],
        scopes: scopes.collect(),
        default_scopes: defaults.collect(),
        held_capabilities: held_capabilities.into_iter().filter(|(_, held)| *held).map(|(name, _)| name.into()).collect(),
        held_scopes: client.scopes.iter().map(str::to_owned).collect(),
        token_lifetime: ShownDuration(client.token_lifetime).to_string(),
        token_lifetime_hint: format!("Empty: the profile's, {}.", ShownDuration(config.token_service.token_lifetime)),
        rate_limit: client.rate_limit.map(|rate| rate.to_string()).unwrap_or_default(),
        enabled: client.enabled,
        routes: reached.map(|row| route_name(row.route)).collect(),
        tokens: visit.admin.gate().tokens_live_of(id).map_or_else(|| "none".to_owned(), grouped),
        can_revoke: visit.admin.gate().tokens_live_of(id).is_some_and(|live| live > 0),
        secrets,
        frame: visit.live_frame(Section::Clients, id),
    };
    visit.page(&page)
}

fn secrets(visit: &Visit, client: &Client) -> Vec<SecretRow> {
    let usage = visit.admin.gate().secret_usage(client.id.as_str());
    let now = SystemTime::now();
    let all: Vec<_> = client.authentication.secret.iter().flat_map(|secrets| &secrets.secrets).collect();
    let can_drop = all.len() > 1;
    let rows = all.into_iter().map(|secret| {
        let used = usage.iter().find(|(id, _)| *id == secret.id).map(|(_, usage)| usage);
        SecretRow {
            id: secret.id.clone(),
            ends: secret.expires.map_or_else(|| "never".to_owned(), |ends| wording::relative(ends, now)),
            last_used: match used.and_then(|used| used.last_used) {
                Some(used) => wording::relative(UNIX_EPOCH + used, now),
                None => "not yet".to_owned(),
            },
            from: used.and_then(|used| used.last_address).map_or_else(|| "–".to_owned(), |from| from.to_string()),
            refused: grouped(used.map_or(0, |used| used.refused_count)),
            can_drop,
        }
    });
    rows.collect()
}

/// Describes how a client authenticates besides with a secret.
fn methods(client: &Client) -> Vec<String> {
    let ways = &client.authentication;
    let mut methods = Vec::new();
    if ways.private_key_jwt.is_some() {
        methods.push("private_key_jwt: it signs an assertion with its own key".to_owned());
    }
    if ways.tls_client_auth.is_some() {
        methods.push("tls_client_auth: it shows a certificate of a trusted authority".to_owned());
    }
    if ways.self_signed_tls_client_auth.is_some() {
        methods.push("self_signed_tls_client_auth: it shows one certificate".to_owned());
    }
    methods
}
