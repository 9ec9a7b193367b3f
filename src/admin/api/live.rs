//! The traffic: counters since the start, and points of the recent past.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::extract::InQuery;
use crate::admin::console::series::{Point, Span};
use crate::admin::state::AdminState;
use crate::telemetry::Totals;

/// The most routes with points of their own.
const MOST_ROUTES: usize = 20;

/// The time span of the points.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
enum SpanName {
    /// Five minutes, with a point for each second.
    #[default]
    Minutes,
    /// An hour, with a point for every ten seconds.
    Hour,
    /// A day, with a point for every five minutes.
    Day,
}

/// The time span that the response covers.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct LiveQuery {
    /// The time span of the points: five minutes, an hour or a day.
    #[serde(default)]
    #[cfg_attr(test, param(inline))]
    span: Option<SpanName>,
}

/// The traffic.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct LiveView {
    /// The number of requests that have ended since the start.
    requests: u64,
    /// The number of requests that the gateway refused for another reason than a rate.
    refused: u64,
    /// The number of requests that were refused because of a rate or a concurrency limit.
    limited: u64,
    /// The number of requests that failed because of an upstream.
    failed: u64,
    tokens_issued: u64,
    /// The number of token requests that were refused.
    tokens_refused: u64,
    /// The number of valid tokens.
    tokens_live: u64,
    /// The routes that had requests, and the gateway's own endpoints.
    routes: Vec<RouteTotalsView>,
    /// The number of requests in the last minute.
    last_minute: u64,
    /// The time between two points, in seconds.
    step: u64,
    /// The points. The newest point comes last.
    points: Vec<PointView>,
    /// The busiest routes, with points of their own.
    busiest: Vec<BusyView>,
}

/// The requests of a route since the start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct RouteTotalsView {
    route: String,
    requests: u64,
    /// The number of requests that were answered with 4xx.
    client_errors: u64,
    /// The number of requests that were answered with 5xx, or got no answer.
    server_errors: u64,
}

/// The points of a busy route.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct BusyView {
    route: String,
    /// The number of requests in the last minute.
    last_minute: u64,
    points: Vec<PointView>,
}

/// The requests of one interval.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct PointView {
    passed: u32,
    refused: u32,
    limited: u32,
    failed: u32,
}

impl From<&Point> for PointView {
    fn from(point: &Point) -> Self {
        let Point { passed, refused, limited, failed } = *point;
        Self { passed, refused, limited, failed }
    }
}

/// Shows the traffic. The numbers since the start are the same as in the metrics.
#[cfg_attr(test, utoipa::path(get, path = "/live", tag = "state", params(LiveQuery), responses((status = 200, body = LiveView), (status = "default", body = crate::admin::problem::Problem, content_type = "application/problem+json"))))]
pub(super) async fn live(
    State(state): State<AdminState>,
    InQuery(query): InQuery<LiveQuery>,
) -> Json<LiveView> {
    let span = match query.span.unwrap_or_default() {
        SpanName::Minutes => Span::Minutes,
        SpanName::Hour => Span::Hour,
        SpanName::Day => Span::Day,
    };
    let gauges = state.proxy().gauges();
    let totals = Totals::read(&gauges);
    let points = |points: &[Point]| points.iter().map(PointView::from).collect();
    let routes = totals.routes.iter().map(|route| RouteTotalsView {
        route: route.name.to_string(),
        requests: route.requests,
        client_errors: route.client_errors,
        server_errors: route.server_errors,
    });
    let busiest = state.series().busiest(span, MOST_ROUTES).into_iter().map(|route| BusyView {
        route: route.name.to_string(),
        last_minute: route.last_minute,
        points: points(&route.points),
    });
    Json(LiveView {
        requests: totals.requests,
        refused: totals.refused,
        limited: totals.limited,
        failed: totals.failed,
        tokens_issued: totals.issued,
        tokens_refused: totals.not_issued,
        tokens_live: gauges.tokens_live,
        routes: routes.collect(),
        last_minute: state.series().last_minute(),
        step: span.step().as_secs(),
        points: points(&state.series().points(span)),
        busiest: busiest.collect(),
    })
}
