//! The routes in shadow mode: callers that would be refused, and proposed changes that let them pass.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::InQuery;
use super::moment;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::proposals::operations;
use crate::config::Config;
use crate::shadow::{self, CallerSummary, Proposal, RouteSummary, Summary};
use crate::sorting::collect_sorted;

/// The most callers of a route that are shown. Those who would be refused come first.
const MOST_CALLERS: usize = 200;

/// The observations about a route in shadow mode.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ShadowRoute {
    /// The name of the route, as in metrics.
    route: String,
    /// The time of the first request, or `null` if there was none.
    since: Option<String>,
    /// The number of requests in the last seven days that an enforced route would have accepted.
    passed: u64,
    /// The number of requests in the last seven days that an enforced route would have refused.
    refused: u64,
    /// The share of requests in the last seven days that an enforced route would have accepted, from 0 to 1.
    ready: Option<f64>,
    /// The callers. Callers that would be refused come first.
    callers: Vec<ShadowCaller>,
    /// Whether the list of callers is complete.
    complete: bool,
}

/// The observations about a caller of a route.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ShadowCaller {
    /// The client, the address, or `others`.
    who: String,
    /// The first `User-Agent` of a caller without a client.
    user_agent: Option<String>,
    /// Whether an enforced route would have let the last request through.
    would_pass: bool,
    passed: u64,
    /// The number of requests that an enforced route would have refused, by reason.
    refused: BTreeMap<&'static str, u64>,
    first_seen: String,
    last_passed: Option<String>,
    last_refused: Option<String>,
}

/// A change that lets a caller pass, or one that narrows access without an outage.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct ShadowProposal {
    /// A description of the proposal.
    message: String,
    /// The proposal with its kind.
    #[cfg_attr(test, schema(value_type = Object))]
    proposal: Proposal,
    /// The operations that make the change. The list is empty if a person has to decide first.
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    operations: serde_json::Value,
}

fn summary(state: &AdminState, config: &Config) -> (Summary, u64) {
    let now = state.gate().clock().unix_time();
    (Summary::of(&state.proxy().rules().learned, config, now), now.as_secs())
}

fn time(seconds: u64) -> String {
    moment::since_1970(Duration::from_secs(seconds))
}

fn route(learned: RouteSummary) -> ShadowRoute {
    let ready = learned.ready();
    let complete = learned.callers.len() <= MOST_CALLERS;
    ShadowRoute {
        route: learned.route,
        since: learned.since.map(time),
        passed: learned.passed,
        refused: learned.refused,
        ready,
        callers: learned.callers.into_iter().take(MOST_CALLERS).map(caller).collect(),
        complete,
    }
}

fn caller(caller: CallerSummary) -> ShadowCaller {
    ShadowCaller {
        who: caller.who.to_string(),
        user_agent: caller.user_agent,
        would_pass: caller.would_pass,
        passed: caller.passed,
        refused: collect_sorted(caller.refused),
        first_seen: time(caller.first_seen),
        last_passed: caller.last_passed.map(time),
        last_refused: caller.last_refused.map(time),
    }
}

/// Lists the routes in shadow mode, with their callers.
#[cfg_attr(test, utoipa::path(get, path = "/shadow", tag = "shadow", params(PageQuery), responses((status = 200, body = Page<ShadowRoute>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<ShadowRoute>>, Problem> {
    let (summary, _) = summary(&state, &state.config());
    query.page(summary.routes, |learned| learned.route.clone(), route).map(Json)
}

/// Lists proposals: changes that let every caller pass, and then the enforcement of routes.
#[cfg_attr(test, utoipa::path(get, path = "/shadow/proposals", tag = "shadow", params(PageQuery), responses((status = 200, body = Page<ShadowProposal>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn proposals(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<ShadowProposal>>, Problem> {
    let config = state.config();
    let (summary, now) = summary(&state, &config);
    let proposals = shadow::proposals(&summary, &config, now);
    let show = |proposal: Proposal| ShadowProposal {
        message: proposal.to_string(),
        operations: serde_json::json!(operations(&proposal, &config)),
        proposal,
    };
    query.page(proposals, Proposal::to_string, show).map(Json)
}
