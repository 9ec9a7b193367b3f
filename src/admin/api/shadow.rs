//! What was learned about routes in shadow mode.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value as Json_;
use utoipa::ToSchema;

use super::extract::InQuery;
use super::moment;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::operation::Operation;
use crate::config::Config;
use crate::shadow::{CallerSummary, Proposal, RouteSummary, Summary, Who, proposals};

/// The most callers of a route that are listed.
const MOST_CALLERS: usize = 200;

/// A route in shadow mode.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShadowView {
    /// The name of the route in metrics and logs.
    route: String,
    /// The position of the route in the configuration, from 0.
    index: usize,
    /// When the first request was seen.
    since: Option<String>,
    /// The requests of the last seven days that would pass.
    passed: u64,
    /// The requests of the last seven days that would be refused.
    refused: u64,
    /// The share of the last seven days' requests that would pass, from 0 to 1.
    ready: Option<f64>,
    /// How many callers' last request would be refused.
    waiting: usize,
    /// Who called, those whose last request would be refused first; at most 200.
    callers: Vec<CallerView>,
    /// Whether these are all callers.
    complete: bool,
}

/// A caller of a route in shadow mode.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallerView {
    /// The client; `null` for a caller without a valid token.
    client: Option<String>,
    /// The address of a caller without a valid token; `null`, too, for all those that are beyond the bounds.
    address: Option<String>,
    /// The first `User-Agent` of a caller without a client.
    user_agent: Option<String>,
    would_pass: bool,
    passed: u64,
    /// Why requests would be refused, and how many.
    refused: Vec<RefusedView>,
    first_seen: String,
    last_passed: Option<String>,
    last_refused: Option<String>,
}

/// A reason and how many requests would be refused for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedView {
    reason: &'static str,
    requests: u64,
}

fn time(seconds: u64) -> String {
    moment::since_1970(Duration::from_secs(seconds))
}

impl ShadowView {
    fn of(route: &RouteSummary) -> Self {
        Self {
            route: route.route.clone(),
            index: route.index,
            since: route.since.map(time),
            passed: route.passed,
            refused: route.refused,
            ready: route.ready(),
            waiting: route.waiting().count(),
            callers: route.callers.iter().take(MOST_CALLERS).map(CallerView::of).collect(),
            complete: route.callers.len() <= MOST_CALLERS,
        }
    }
}

impl CallerView {
    fn of(caller: &CallerSummary) -> Self {
        let (client, address) = match &caller.who {
            Who::Client(id) => (Some(id.clone()), None),
            Who::Address(address) => (None, Some(address.clone())),
            Who::Others(()) => (None, None),
        };
        let refused = caller.refused.iter().map(|(reason, requests)| RefusedView { reason, requests: *requests });
        Self {
            client,
            address,
            user_agent: caller.user_agent.clone(),
            would_pass: caller.would_pass,
            passed: caller.passed,
            refused: refused.collect(),
            first_seen: time(caller.first_seen),
            last_passed: caller.last_passed.map(time),
            last_refused: caller.last_refused.map(time),
        }
    }
}

/// A change that is proposed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProposalView {
    /// The proposal in words.
    text: String,
    /// The proposal for scripts.
    #[schema(value_type = Object)]
    proposal: Json_,
    /// The operations that make the change; empty if a person has to decide first.
    #[schema(value_type = Vec<Object>)]
    operations: Vec<Json_>,
}

fn learned(state: &AdminState, config: &Config) -> (Summary, Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Summary::of(&state.proxy().rules().learned, config, now), now)
}

/// Shows what was learned about the routes in shadow mode.
#[utoipa::path(get, path = "/shadow", tag = "shadow", params(PageQuery), responses((status = 200, body = Page<ShadowView>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<ShadowView>>, Problem> {
    let (summary, _) = learned(&state, &state.config());
    query.page(&summary.routes, |route| route.index.to_string(), ShadowView::of).map(Json)
}

/// Proposes changes, so that routes in shadow mode can be enforced without an outage.
#[utoipa::path(get, path = "/shadow/proposals", tag = "shadow", params(PageQuery), responses((status = 200, body = Page<ProposalView>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn propose(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<ProposalView>>, Problem> {
    let config = state.config();
    let (summary, now) = learned(&state, &config);
    let all: Vec<(usize, Proposal)> = proposals(&summary, &config, now.as_secs()).into_iter().enumerate().collect();
    let show = |(_, proposal): &(usize, Proposal)| ProposalView {
        text: proposal.to_string(),
        proposal: serde_json::to_value(proposal).unwrap_or_default(),
        operations: proposal.operations(&config).iter().map(Operation::shown).collect(),
    };
    query.page(&all, |(index, _)| index.to_string(), show).map(Json)
}
