//! Previews of the effect of a draft.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::Value as Json_;

use super::act::act;
use super::caller::Caller;
use super::drafts::draft_id;
use super::extract::InPath;
use crate::access::difference::Change;
use crate::admin::problem::{FieldError, Problem};
use crate::admin::state::AdminState;
use crate::change::preview::Preview;
use crate::change::texts::Texts;
use crate::config::Role;

/// The effect of a draft on access.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct GrantsView {
    /// Whether the configuration was changed after the draft was created.
    stale: bool,
    /// The differences that only an owner may commit.
    owner_only: Vec<String>,
    /// The differences in access. Those that widen access come first. `null` if the caller may not have the
    /// changed configuration compiled, or if it has errors.
    grants: Option<Vec<GrantView>>,
    /// The keys whose change takes effect only after a restart.
    needs_restart: Vec<String>,
    /// The errors that the changed configuration would have.
    errors: Vec<FieldError>,
}

/// One difference in access.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct GrantView {
    /// Whether the gateway may accept something that it refused before.
    widens: bool,
    /// A description of the difference.
    text: String,
    /// The difference as an object for scripts.
    #[cfg_attr(test, schema(value_type = Object))]
    change: Json_,
}

impl GrantsView {
    pub(super) fn of(preview: &Preview) -> Self {
        let grant = |change: &Change| GrantView {
            widens: change.widens(),
            text: change.to_string(),
            change: change.to_json(),
        };
        Self {
            stale: preview.stale,
            owner_only: preview.owner_only.iter().map(ToString::to_string).collect(),
            grants: preview.grants.as_ref().map(|changes| changes.iter().map(grant).collect()),
            needs_restart: preview.needs_restart.clone(),
            errors: preview.errors.as_ref().map(FieldError::all).unwrap_or_default(),
        }
    }
}

/// Shows what a draft grants.
#[cfg_attr(test, utoipa::path(get, path = "/drafts/{id}/grants", tag = "changes", params(("id" = String, Path, description = "The id of the draft.")), responses((status = 200, body = GrantsView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn grants(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<GrantsView>, Problem> {
    let preview = preview(&state, &caller, &id, |preview, _| GrantsView::of(preview));
    preview.await.map(Json)
}

/// The difference of the texts.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct DiffView {
    /// Whether the configuration was changed after the draft was created.
    stale: bool,
    /// The difference in the format of `diff -u`. Secrets are hidden.
    diff: String,
}

/// Shows the difference of the files.
#[cfg_attr(test, utoipa::path(get, path = "/drafts/{id}/diff", tag = "changes", params(("id" = String, Path, description = "The id of the draft.")), responses((status = 200, body = DiffView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn diff(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<DiffView>, Problem> {
    let view = preview(&state, &caller, &id, |preview, key| DiffView {
        stale: preview.stale,
        diff: preview.diff(key),
    });
    view.await.map(Json)
}

/// The texts of the changed files.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TextView {
    stale: bool,
    files: Vec<FileView>,
}

/// A file of the configuration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct FileView {
    path: String,
    /// The text of the file. Secrets are hidden.
    text: String,
}

impl FileView {
    pub(super) fn all(texts: &Texts) -> Vec<Self> {
        let view = |(path, text): (&std::path::Path, &str)| Self {
            path: path.display().to_string(),
            text: text.to_owned(),
        };
        texts.iter().map(view).collect()
    }
}

/// Shows the changed files.
#[cfg_attr(test, utoipa::path(get, path = "/drafts/{id}/text", tag = "changes", params(("id" = String, Path, description = "The id of the draft.")), responses((status = 200, body = TextView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn text(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<TextView>, Problem> {
    let view = preview(&state, &caller, &id, |preview, key| TextView {
        stale: preview.stale,
        files: FileView::all(&key.shown(&preview.after)),
    });
    view.await.map(Json)
}

/// Returns a patch for the repository of the configuration. It contains the hashes of new secrets.
#[cfg_attr(test, utoipa::path(get, path = "/drafts/{id}/patch", tag = "changes", params(("id" = String, Path, description = "The id of the draft.")), responses((status = 200, body = String, content_type = "text/x-diff"), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn patch(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    if caller.role < Role::Editor {
        return Err(Problem::forbidden(
            "forbidden",
            "a patch has hashes of secrets: it needs the scope tollgate:admin.write",
        ));
    }
    let text = preview(&state, &caller, &id, |preview, key| preview.patch(key)).await?;
    Ok(([(CONTENT_TYPE, "text/x-diff; charset=utf-8")], text).into_response())
}

async fn preview<T: Send + 'static>(
    state: &AdminState,
    caller: &Caller,
    id: &str,
    show: impl FnOnce(&Preview, &crate::change::hidden::HidingKey) -> T + Send + 'static,
) -> Result<T, Problem> {
    let id = draft_id(id)?;
    let shown = act(state, caller, move |changes, actor| {
        let preview = changes.preview(actor, &changes.draft(&id)?)?;
        Ok(show(&preview, changes.key()))
    });
    shown.await
}
