//! The upstreams and their servers.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::InQuery;
use super::moment;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::upstream::group::Upstream;

/// An upstream.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct UpstreamView {
    name: String,
    /// `http1` or `http2`.
    protocol: &'static str,
    /// Whether the gateway adds credentials to requests. The credentials are not shown.
    credentials: bool,
    servers: Vec<ServerView>,
}

/// A server of an upstream.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ServerView {
    server: String,
    /// Whether the server gets requests.
    available: bool,
    /// `healthy`, `unhealthy` (probes of the server fail), or `ejected` (requests to the server fail).
    state: &'static str,
    /// The last failure of a request or of a probe since the start.
    last_fault: Option<FaultView>,
}

/// A fault of a server.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct FaultView {
    at: String,
    message: String,
}

/// Lists the upstreams, in the order of the file.
#[cfg_attr(test, utoipa::path(get, path = "/upstreams", tag = "configuration", params(PageQuery), responses((status = 200, body = Page<UpstreamView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<UpstreamView>>, Problem> {
    let rules = state.proxy().rules();
    query.page(&rules.upstreams, |upstream| upstream.name.clone(), |upstream| view(upstream)).map(Json)
}

fn view(upstream: &Upstream) -> UpstreamView {
    let servers = upstream.servers().iter().map(|server| {
        let state = upstream.state_of(server);
        let last_fault = upstream.last_fault(server).map(|(message, ago)| FaultView {
            at: moment::at(SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH)),
            message: message.into(),
        });
        ServerView { server: server.to_string(), available: state == "healthy", state, last_fault }
    });
    UpstreamView {
        name: upstream.name.clone(),
        protocol: if upstream.http2 { "http2" } else { "http1" },
        credentials: upstream.credentials.is_some(),
        servers: servers.collect(),
    }
}
