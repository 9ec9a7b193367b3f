//! What was learned about routes in shadow mode.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value as Json_;
use utoipa::ToSchema;

use super::extract::InQuery;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::config::Config;
use crate::shadow::{RouteSummary, Summary, proposals};

/// The most callers of a route that are listed.
const MOST_CALLERS: usize = 200;

/// A route in shadow mode.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShadowView {
    /// The name of the route in metrics and logs.
    route: String,
    /// The position of the route in the configuration, from 0.
    index: usize,
    /// The share of the last seven days' requests that would pass, from 0 to 1.
    ready: Option<f64>,
    /// How many callers' last request would be refused.
    waiting: usize,
    /// What was learned: the requests of the last seven days that would pass and be refused, and at most 200 callers, those
    /// whose last request would be refused first.
    #[schema(value_type = Object)]
    learned: Json_,
    /// Whether these are all callers.
    complete: bool,
}

impl ShadowView {
    fn of(route: &RouteSummary) -> Self {
        let mut learned = route.clone();
        learned.callers.truncate(MOST_CALLERS);
        Self {
            route: route.route.clone(),
            index: route.index,
            ready: route.ready(),
            waiting: route.waiting().count(),
            complete: learned.callers.len() == route.callers.len(),
            learned: serde_json::to_value(learned).unwrap_or_default(),
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
    let all: Vec<_> = proposals(&summary, &config, now.as_secs()).into_iter().enumerate().collect();
    let page = query.page(
        &all,
        |(index, _)| index.to_string(),
        |(_, proposal)| ProposalView {
            text: proposal.to_string(),
            proposal: serde_json::to_value(proposal).unwrap_or_default(),
        },
    );
    page.map(Json)
}
