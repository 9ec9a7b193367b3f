//! The history of the configuration.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;

use super::act::act;
use super::caller::Caller;
use super::drafts::drafted;
use super::extract::{Body, InPath, InQuery};
use super::paging::{Page, PageQuery};
use super::previews::FileView;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::versions::{Version, VersionState};

/// A version of the configuration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct VersionView {
    number: u64,
    parent: Option<u64>,
    /// `prepared`, `applied`, `provisional`, `rolled_back`, `overtaken` or `abandoned`.
    #[cfg_attr(test, schema(value_type = String))]
    state: VersionState,
    time: String,
    actor: String,
    role: &'static str,
    /// `console`, `api`, `cli`, `file` or `gateway`.
    via: &'static str,
    comment: String,
    sha256: String,
    /// The time until which the version must be confirmed.
    confirm_by: Option<String>,
    /// A description of each operation.
    operations: Vec<String>,
    /// The differences in access that the version made.
    granted: Vec<GrantedView>,
}

/// A difference in access that a version made.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct GrantedView {
    widens: bool,
    text: String,
    #[cfg_attr(test, schema(value_type = Object))]
    change: Json_,
}

/// A version with the texts of its files.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct VersionTextView {
    version: VersionView,
    /// The files. Secrets are hidden.
    files: Vec<FileView>,
}

impl VersionView {
    fn of(version: Version) -> Self {
        let granted = version.granted.into_iter().map(|granted| GrantedView {
            widens: granted.widens,
            text: granted.text,
            change: granted.change,
        });
        Self {
            number: version.number,
            parent: version.parent,
            state: version.state,
            time: version.time,
            actor: version.actor,
            role: version.role.as_str(),
            via: version.via.as_str(),
            comment: version.comment,
            sha256: version.sha256,
            confirm_by: version.confirm_by,
            operations: version.operations,
            granted: granted.collect(),
        }
    }
}

/// Lists the versions. The newest version comes first.
#[cfg_attr(test, utoipa::path(get, path = "/history", tag = "history", params(PageQuery), responses((status = 200, body = Page<VersionView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    caller: Caller,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<VersionView>>, Problem> {
    let limit = query.limit()?;
    let before = match &query.after {
        None => None,
        Some(after) => {
            Some(after.parse::<u64>().map_err(|_| Problem::bad_request("`after` must be a number"))?)
        }
    };
    let mut versions = act(&state, &caller, move |changes, _| changes.history(before, limit + 1)).await?;
    let more = versions.len() > limit;
    versions.truncate(limit);
    let next = versions.last().filter(|_| more).map(|version| version.number.to_string());
    Ok(Json(Page { items: versions.into_iter().map(VersionView::of).collect(), next }))
}

/// Shows a version, and the texts of its files. Secrets are hidden.
#[cfg_attr(test, utoipa::path(get, path = "/history/{number}", tag = "history", params(("number" = u64, Path, description = "The number of the version.")), responses((status = 200, body = VersionTextView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn one(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(number): InPath<u64>,
) -> Result<Json<VersionTextView>, Problem> {
    let found = act(&state, &caller, move |changes, _| {
        let texts = changes.key().shown(&changes.version_texts(number)?);
        Ok(VersionTextView {
            version: VersionView::of(changes.version(number)?),
            files: FileView::all(&texts),
        })
    });
    found.await.map(Json)
}

/// Confirms the commit of a version.
#[cfg_attr(test, utoipa::path(post, path = "/history/{number}/confirm", tag = "history", params(("number" = u64, Path, description = "The number of the version.")), responses((status = 200, body = VersionView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn confirm(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(number): InPath<u64>,
) -> Result<Json<VersionView>, Problem> {
    let confirmed = act(&state, &caller, move |changes, actor| changes.confirm(actor, number));
    confirmed.await.map(VersionView::of).map(Json)
}

/// Rolls back the commit of a version that is not confirmed yet. It takes effect at once.
#[cfg_attr(test, utoipa::path(post, path = "/history/{number}/undo", tag = "history", params(("number" = u64, Path, description = "The number of the version.")), responses((status = 200, body = VersionView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn undo(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(number): InPath<u64>,
) -> Result<Json<VersionView>, Problem> {
    let undone = act(&state, &caller, move |changes, actor| changes.undo(actor, number));
    undone.await.map(VersionView::of).map(Json)
}

/// The options of a rollback.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Rollback {
    /// Whether the secrets of clients and `[admin]` stay as they are today. Otherwise secrets that were reset
    /// become valid again.
    #[serde(default = "keep")]
    keep_today: bool,
}

fn keep() -> bool {
    true
}

/// Creates a draft that restores a version.
#[cfg_attr(test, utoipa::path(post, path = "/history/{number}/rollback", tag = "history", request_body = Rollback, params(("number" = u64, Path, description = "The number of the version.")), responses((status = 201, body = super::drafts::Drafted), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn roll_back(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(number): InPath<u64>,
    Body(rollback): Body<Rollback>,
) -> Result<Response, Problem> {
    let made =
        act(&state, &caller, move |changes, actor| changes.rollback(actor, number, rollback.keep_today));
    made.await.map(|draft| drafted(&draft, Vec::new(), Vec::new()))
}
