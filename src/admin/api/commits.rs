//! Commits, and changes in one call.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;

use super::act::act;
use super::caller::Caller;
use super::drafts::{MadeSecret, Operations, bounded, draft_id};
use super::extract::{Body, InPath};
use super::headers::IfMatch;
use super::prefix::PREFIX;
use super::previews::GrantsView;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::commit::Committed;
use crate::config::parse_duration;

/// The comment of a commit, and the time for its confirmation.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Commit {
    /// The reason for the change. It is required.
    comment: String,
    /// The time within which the commit must be confirmed, such as `10m`. If it is not confirmed in time, it
    /// is rolled back.
    #[serde(default)]
    confirm_within: Option<String>,
}

/// The result of a commit.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct CommittedView {
    /// The number of the new version.
    version: u64,
    /// The number of the configuration in this process.
    generation: Option<u64>,
    /// The time until which the commit must be confirmed.
    confirm_by: Option<String>,
    /// The new secrets. They cannot be read again.
    secrets: Vec<MadeSecret>,
    /// Warnings about probable mistakes.
    warnings: Vec<String>,
}

/// Commits a draft.
#[cfg_attr(test, utoipa::path(post, path = "/drafts/{id}/commit", tag = "changes", request_body = Commit, params(("id" = String, Path, description = "The id of the draft."), ("If-Match" = String, Header, description = "The ETag of the draft.")), responses((status = 201, body = CommittedView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn commit(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
    IfMatch(revision): IfMatch,
    Body(commit): Body<Commit>,
) -> Result<Response, Problem> {
    let id = draft_id(&id)?;
    let confirm_within = duration(commit.confirm_within.as_deref())?;
    let committed = act(&state, &caller, move |changes, actor| {
        changes.commit(actor, &id, revision, &commit.comment, confirm_within)
    });
    Ok(made(&committed.await?, Vec::new(), Vec::new()))
}

/// Changes to commit in one call.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    #[cfg_attr(test, schema(value_type = Vec<Object>, min_items = 1, max_items = 20))]
    operations: Vec<Json_>,
    /// The reason for the change. It is required, unless `dry_run` is set.
    #[serde(default)]
    comment: String,
    /// The time within which the commit must be confirmed, such as `10m`.
    #[serde(default)]
    confirm_within: Option<String>,
    /// Whether to show the effect of the changes without committing them.
    #[serde(default)]
    dry_run: bool,
}

/// Creates and commits changes in one call, or shows what they would grant.
#[cfg_attr(test, utoipa::path(post, path = "/changes", tag = "changes", request_body = Changes, responses((status = 201, body = CommittedView), (status = 200, body = GrantsView, description = "What the changes would grant, with dry_run."), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn change(
    State(state): State<AdminState>,
    caller: Caller,
    Body(changes): Body<Changes>,
) -> Result<Response, Problem> {
    bounded(&changes.operations)?;
    let confirm_within = duration(changes.confirm_within.as_deref())?;
    if changes.dry_run {
        let preview = act(&state, &caller, move |control, actor| {
            let read = Operations::read(actor, changes.operations)?;
            control.preview_operations(actor, read.operations).map(|preview| GrantsView::of(&preview))
        });
        return Ok(Json(preview.await?).into_response());
    }
    let done = act(&state, &caller, move |control, actor| {
        let read = Operations::read(actor, changes.operations)?;
        let committed = control.change(actor, &read.operations, &changes.comment, confirm_within)?;
        Ok((committed, read.secrets, read.warnings))
    });
    let (committed, secrets, warnings) = done.await?;
    Ok(made(&committed, secrets, warnings))
}

fn made(committed: &Committed, secrets: Vec<MadeSecret>, warnings: Vec<String>) -> Response {
    let Committed { version, generation } = committed;
    let location = HeaderValue::try_from(format!("{PREFIX}/history/{}", version.number));
    let location = location.unwrap_or(HeaderValue::from_static(PREFIX));
    let body = CommittedView {
        version: version.number,
        generation: *generation,
        confirm_by: version.confirm_by.clone(),
        secrets,
        warnings,
    };
    (StatusCode::CREATED, [(LOCATION, location)], Json(body)).into_response()
}

fn duration(text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match parse_duration(text) {
        Ok(duration) => Ok(Some(duration)),
        Err(error) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "confirm-within",
            format!("`confirm_within` must be a duration such as \"10m\": {error}"),
        )),
    }
}
