//! The clients.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::{InPath, InQuery};
use super::moment;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::config::{Client, Config};
use crate::gate::{Gate, SecretUsage};

/// A client. Secrets are not shown.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ClientView {
    id: String,
    enabled: bool,
    capabilities: Vec<&'static str>,
    scopes: Vec<String>,
    default_scopes: Vec<String>,
    audiences: Vec<String>,
    /// The lifetime of the client's tokens, in seconds.
    token_lifetime: u64,
    /// The rate limit of the client's API requests.
    rate_limit: Option<String>,
    /// The methods with which the client may authenticate at the token endpoint.
    authentication: Vec<&'static str>,
    secrets: Vec<SecretView>,
    /// The number of the client's valid tokens.
    tokens_live: u64,
    file: String,
    line: u32,
}

/// A secret of a client. Its value cannot be read.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct SecretView {
    id: String,
    /// The time at which the secret expires.
    expires: Option<String>,
    /// The time since which uses are counted.
    counted_since: Option<String>,
    /// The number of successful authentications with the secret.
    uses: u64,
    last_used: Option<String>,
    last_address: Option<String>,
    /// The number of attempts after the secret expired.
    refused: u64,
}

/// Lists the clients, in the order of the file.
#[cfg_attr(test, utoipa::path(get, path = "/clients", tag = "clients", params(PageQuery), responses((status = 200, body = Page<ClientView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<ClientView>>, Problem> {
    let config = state.config();
    let show = |client| view(&config, state.gate(), client);
    query.page(&config.clients, |client| client.id.to_string(), show).map(Json)
}

/// Shows a client.
#[cfg_attr(test, utoipa::path(get, path = "/clients/{id}", tag = "clients", params(("id" = String, Path, description = "The client id.")), responses((status = 200, body = ClientView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn one(
    State(state): State<AdminState>,
    InPath(id): InPath<String>,
) -> Result<Json<ClientView>, Problem> {
    let config = state.config();
    let client = config.client(&id).ok_or_else(unknown)?;
    Ok(Json(view(&config, state.gate(), client)))
}

/// The error for a client that does not exist.
pub(super) fn unknown() -> Problem {
    Problem::not_found("there is no client with this id")
}

fn view(config: &Config, gate: &Gate, client: &Client) -> ClientView {
    let owned = |scopes: &crate::oauth::scope::Scopes| scopes.iter().map(str::to_owned).collect();
    let usage = gate.secret_usage(client.id.as_str());
    let secrets = client.authentication.secret.iter().flat_map(|secret| &secret.secrets);
    let secrets = secrets.map(|secret| {
        let usage = usage.iter().find(|(id, _)| *id == secret.id).map(|(_, usage)| *usage);
        secret_view(secret.id.clone(), secret.expires.map(moment::at), usage)
    });
    ClientView {
        id: client.id.to_string(),
        enabled: client.enabled,
        capabilities: client.capability_names(),
        scopes: owned(&client.scopes),
        default_scopes: owned(&client.default_scopes),
        audiences: client.audiences.clone(),
        token_lifetime: client.token_lifetime.as_secs(),
        rate_limit: client.rate_limit.map(|rate| rate.to_string()),
        authentication: client.authentication_methods(),
        secrets: secrets.collect(),
        tokens_live: gate.live_tokens_of(client.id.as_str()).unwrap_or(0),
        file: config.file_of(client.position).display().to_string(),
        line: client.position.line,
    }
}

fn secret_view(id: String, expires: Option<String>, usage: Option<SecretUsage>) -> SecretView {
    let usage_of = usage.unwrap_or_default();
    SecretView {
        id,
        expires,
        counted_since: usage.map(|usage| moment::since_1970(usage.since)),
        uses: usage_of.count,
        last_used: usage_of.last_used.map(moment::since_1970),
        last_address: usage_of.last_address.map(|address| address.to_string()),
        refused: usage_of.refused_count,
    }
}
