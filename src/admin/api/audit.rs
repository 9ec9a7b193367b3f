//! The audit.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value as Json_;

use super::act::act;
use super::caller::Caller;
use super::extract::InQuery;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::audit::AuditLine;
use crate::change::error::ChangeError;

/// The furthest line that a page can begin after.
const FURTHEST: usize = 10_000;

/// A line of the audit.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct AuditView {
    time: String,
    actor: String,
    role: String,
    via: String,
    address: Option<String>,
    event: String,
    object: String,
    /// The version of the history that the event concerns.
    version: Option<u64>,
    outcome: String,
    detail: Option<String>,
}

impl AuditView {
    fn of(line: AuditLine) -> Self {
        let event = match serde_json::to_value(line.event) {
            Ok(Json_::String(event)) => event,
            _ => String::new(),
        };
        let AuditLine { time, actor, role, via, address, event: _, object, version, outcome, detail } = line;
        Self { time, actor, role, via, address, event, object, version, outcome, detail }
    }
}

/// Lists the lines of the audit. The newest line comes first.
#[cfg_attr(test, utoipa::path(get, path = "/audit", tag = "history", params(PageQuery), responses((status = 200, body = Page<AuditView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    caller: Caller,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<AuditView>>, Problem> {
    let limit = query.limit()?;
    let skip = match &query.after {
        None => 0,
        Some(after) => after
            .parse::<usize>()
            .ok()
            .filter(|skip| *skip <= FURTHEST)
            .ok_or_else(|| Problem::bad_request("`after` must be a number up to 10000"))?,
    };
    let mut lines = act(&state, &caller, move |changes, _| {
        changes.audit().newest(skip, limit + 1).map_err(ChangeError::State)
    })
    .await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = (more && skip + limit <= FURTHEST).then(|| (skip + limit).to_string());
    Ok(Json(Page { items: lines.into_iter().map(AuditView::of).collect(), next }))
}
