//! The state of the gateway.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::moment;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;

/// The state of the gateway.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Status {
    /// The version of the program.
    version: &'static str,
    /// The path of gateway.toml.
    file: String,
    /// Whether the configuration is read-only here, so that changes cannot be committed.
    read_only: bool,
    /// Whether the token store works.
    store_healthy: bool,
    /// The number of valid tokens.
    tokens_live: u64,
    /// The number of secrets that wait for a hashing thread.
    hashing_queue: u64,
    clients: usize,
    routes: usize,
    upstreams: usize,
    scopes: usize,
}

/// Shows the state of the gateway.
#[cfg_attr(test, utoipa::path(get, path = "/status", tag = "state", responses((status = 200, body = Status), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn status(State(state): State<AdminState>) -> Json<Status> {
    let (config, gauges) = (state.config(), state.proxy().gauges());
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        file: config.file.display().to_string(),
        read_only: config.admin.as_ref().is_some_and(|admin| admin.read_only),
        store_healthy: gauges.store_healthy,
        tokens_live: gauges.tokens_live,
        hashing_queue: gauges.hashing_queue,
        clients: config.clients.len(),
        routes: config.routes.len(),
        upstreams: config.upstreams.len(),
        scopes: config.scopes.len(),
    })
}

/// The result of the last reload.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ReloadStatus {
    /// The time of the reload, or `null` if there was none since the start.
    at: Option<String>,
    /// Whether the file is in force.
    applied: bool,
    /// The reason why the file is not in force.
    error: Option<String>,
}

/// Shows the result of the last reload.
#[cfg_attr(test, utoipa::path(get, path = "/reload", tag = "state", responses((status = 200, body = ReloadStatus), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn reload(State(state): State<AdminState>) -> Json<ReloadStatus> {
    let last = state.control().last_reload();
    Json(match last {
        None => ReloadStatus { at: None, applied: true, error: None },
        Some(reload) => ReloadStatus {
            at: Some(moment::at(reload.at)),
            applied: reload.error.is_none(),
            error: reload.error,
        },
    })
}

/// Answers 200 while the gateway can do all that it promises.
pub(in crate::admin) async fn ready(State(state): State<AdminState>) -> Result<&'static str, Problem> {
    if state.proxy().is_ready() {
        Ok("ready\n")
    } else {
        Err(Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "not-ready", "the gateway is not ready"))
    }
}
