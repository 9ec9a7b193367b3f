//! Drafts of changes.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;

use super::act::act;
use super::caller::Caller;
use super::extract::{Body, InPath, InQuery};
use super::headers::{IfMatch, etag};
use super::moment;
use super::paging::{Page, PageQuery};
use super::prefix::PREFIX;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::actor::Actor;
use crate::change::draft::{Draft, DraftId};
use crate::change::error::ChangeError;
use crate::change::operation::Operation;
use crate::change::submission::Submitted;

/// A draft.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct DraftView {
    id: String,
    /// The user or the client that created it.
    owner: String,
    title: String,
    /// The SHA-256 of the configuration that the draft is based on.
    base: String,
    /// A number that grows with every change of the draft. It is also the ETag.
    revision: u64,
    created: String,
    changed: String,
    /// The operations, in the order in which they are applied. Secrets are hidden.
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    operations: Vec<Json_>,
    /// A description of each operation.
    words: Vec<String>,
}

impl DraftView {
    pub(super) fn of(draft: &Draft) -> Self {
        let at = |millis: u64| moment::since_1970(Duration::from_millis(millis));
        Self {
            id: draft.id.to_string(),
            owner: draft.owner.clone(),
            title: draft.title.clone(),
            base: draft.base.clone(),
            revision: draft.revision,
            created: at(draft.created),
            changed: at(draft.changed),
            operations: draft.operations.iter().map(Operation::shown).collect(),
            words: draft.operations.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A new secret. It is shown only in this response.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct MadeSecret {
    /// The index of the operation in the request.
    operation: usize,
    client_secret: String,
}

/// A draft, with the secrets that its operations have created.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Drafted {
    draft: DraftView,
    /// The new secrets. They cannot be read again.
    secrets: Vec<MadeSecret>,
    /// Warnings about probable mistakes.
    warnings: Vec<String>,
}

/// Operations that a request brings.
pub(super) struct Operations {
    pub(super) operations: Vec<Operation>,
    pub(super) secrets: Vec<MadeSecret>,
    pub(super) warnings: Vec<String>,
}

impl Operations {
    /// Reads operations, and makes the secrets that they ask for. It hashes, so it takes a while. Nothing is
    /// hashed for an actor who may not make such operations.
    ///
    /// # Errors
    /// One of them is no operation, or the actor may not make it.
    pub(super) fn read(actor: &Actor, operations: Vec<Json_>) -> Result<Self, ChangeError> {
        let mut all = Self { operations: Vec::new(), secrets: Vec::new(), warnings: Vec::new() };
        for (index, json) in operations.into_iter().enumerate() {
            let submitted = Submitted::read(json, actor.role, SystemTime::now())?;
            let secret = submitted.secret.map(|secret| secret.expose().to_owned());
            all.secrets.extend(secret.map(|client_secret| MadeSecret { operation: index, client_secret }));
            all.warnings.extend(submitted.warning.map(str::to_owned));
            all.operations.push(submitted.operation);
        }
        Ok(all)
    }
}

/// A new draft.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NewDraft {
    /// A title for people.
    #[serde(default)]
    title: String,
    /// The first changes.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Vec<Object>, max_items = 20))]
    operations: Vec<Json_>,
}

/// A change of a draft.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct DraftChange {
    /// The new title.
    title: String,
}

/// The most operations of one request: each may hash a secret.
pub(super) const MOST_AT_ONCE: usize = 20;

/// Returns an error if a request brings too many operations.
pub(super) fn bounded(operations: &[Json_]) -> Result<(), Problem> {
    if operations.len() <= MOST_AT_ONCE {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too-many", "a request has at most 20 operations"))
}

/// Reads the id of a draft.
pub(super) fn draft_id(text: &str) -> Result<DraftId, Problem> {
    DraftId::parse(text).ok_or_else(|| Problem::not_found("the draft does not exist"))
}

/// Returns a draft with its ETag.
pub(super) fn with_etag(draft: &Draft) -> Response {
    ([(ETAG, etag(draft.revision))], Json(DraftView::of(draft))).into_response()
}

/// Returns a new or changed draft, and the secrets.
pub(super) fn drafted(draft: &Draft, secrets: Vec<MadeSecret>, warnings: Vec<String>) -> Response {
    let location = HeaderValue::try_from(format!("{PREFIX}/drafts/{}", draft.id));
    let location = location.unwrap_or(HeaderValue::from_static(PREFIX));
    let body = Drafted { draft: DraftView::of(draft), secrets, warnings };
    (StatusCode::CREATED, [(ETAG, etag(draft.revision)), (LOCATION, location)], Json(body)).into_response()
}

/// Lists all drafts, the one that was changed last first.
#[cfg_attr(test, utoipa::path(get, path = "/drafts", tag = "changes", params(PageQuery), responses((status = 200, body = Page<DraftView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    caller: Caller,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<DraftView>>, Problem> {
    query.limit()?;
    let drafts = act(&state, &caller, |changes, _| changes.drafts()).await?;
    query.page(&drafts, |draft| draft.id.to_string(), DraftView::of).map(Json)
}

/// Files of drafts that cannot be read, for example because a later version has written them.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct DamagedDrafts {
    /// Their ids. Such a draft can only be discarded, with any `If-Match`.
    ids: Vec<String>,
}

/// Lists the drafts whose files cannot be read.
#[cfg_attr(test, utoipa::path(get, path = "/drafts/damaged", tag = "changes", responses((status = 200, body = DamagedDrafts), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn damaged(
    State(state): State<AdminState>,
    caller: Caller,
) -> Result<Json<DamagedDrafts>, Problem> {
    let ids = act(&state, &caller, |changes, _| changes.damaged_drafts()).await?;
    Ok(Json(DamagedDrafts { ids: ids.iter().map(ToString::to_string).collect() }))
}

/// Creates a draft that is based on the current configuration.
#[cfg_attr(test, utoipa::path(post, path = "/drafts", tag = "changes", request_body = NewDraft, responses((status = 201, body = Drafted), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn begin(
    State(state): State<AdminState>,
    caller: Caller,
    Body(new): Body<NewDraft>,
) -> Result<Response, Problem> {
    bounded(&new.operations)?;
    let made = act(&state, &caller, move |changes, actor| {
        let read = Operations::read(actor, new.operations)?;
        Ok((changes.begin(actor, &new.title, read.operations)?, read.secrets, read.warnings))
    });
    let (draft, secrets, warnings) = made.await?;
    Ok(drafted(&draft, secrets, warnings))
}

/// Shows a draft.
#[cfg_attr(test, utoipa::path(get, path = "/drafts/{id}", tag = "changes", params(("id" = String, Path, description = "The id of the draft.")), responses((status = 200, body = DraftView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn one(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    let id = draft_id(&id)?;
    act(&state, &caller, move |changes, _| changes.draft(&id)).await.map(|draft| with_etag(&draft))
}

/// Changes the title of a draft.
#[cfg_attr(test, utoipa::path(patch, path = "/drafts/{id}", tag = "changes", request_body = DraftChange, params(("id" = String, Path, description = "The id of the draft."), ("If-Match" = String, Header, description = "The ETag of the draft.")), responses((status = 200, body = DraftView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn rename(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
    IfMatch(revision): IfMatch,
    Body(change): Body<DraftChange>,
) -> Result<Response, Problem> {
    let id = draft_id(&id)?;
    let renamed =
        act(&state, &caller, move |changes, actor| changes.rename(actor, &id, revision, &change.title));
    renamed.await.map(|draft| with_etag(&draft))
}

/// Discards a draft.
#[cfg_attr(test, utoipa::path(delete, path = "/drafts/{id}", tag = "changes", params(("id" = String, Path, description = "The id of the draft."), ("If-Match" = String, Header, description = "The ETag of the draft.")), responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn discard(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
    IfMatch(revision): IfMatch,
) -> Result<StatusCode, Problem> {
    let id = draft_id(&id)?;
    act(&state, &caller, move |changes, actor| changes.discard(actor, &id, revision)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a change at the end of a draft.
#[cfg_attr(test, utoipa::path(post, path = "/drafts/{id}/operations", tag = "changes", request_body(content = Object, description = "A change, such as {\"op\": \"scope_add\", \"name\": \"orders\", \"description\": \"Read orders\"}."), params(("id" = String, Path, description = "The id of the draft."), ("If-Match" = String, Header, description = "The ETag of the draft.")), responses((status = 201, body = Drafted), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn add(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
    IfMatch(revision): IfMatch,
    Body(operation): Body<Json_>,
) -> Result<Response, Problem> {
    let id = draft_id(&id)?;
    let made = act(&state, &caller, move |changes, actor| {
        changes.check_revision(actor, &id, revision)?;
        let read = Operations::read(actor, vec![operation])?;
        Ok((changes.add(actor, &id, revision, read.operations)?, read.secrets, read.warnings))
    });
    let (draft, secrets, warnings) = made.await?;
    Ok(drafted(&draft, secrets, warnings))
}

/// Removes a change of a draft. The first one is 0.
#[cfg_attr(test, utoipa::path(delete, path = "/drafts/{id}/operations/{index}", tag = "changes", params(("id" = String, Path, description = "The id of the draft."), ("index" = usize, Path, description = "The position of the change, from 0."), ("If-Match" = String, Header, description = "The ETag of the draft.")), responses((status = 200, body = DraftView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn remove_operation(
    State(state): State<AdminState>,
    caller: Caller,
    InPath((id, index)): InPath<(String, usize)>,
    IfMatch(revision): IfMatch,
) -> Result<Response, Problem> {
    let id = draft_id(&id)?;
    let removed =
        act(&state, &caller, move |changes, actor| changes.remove_operation(actor, &id, revision, index));
    removed.await.map(|draft| with_etag(&draft))
}

/// Bases a draft on the current configuration: its changes are applied to it again.
#[cfg_attr(test, utoipa::path(post, path = "/drafts/{id}/rebase", tag = "changes", params(("id" = String, Path, description = "The id of the draft."), ("If-Match" = String, Header, description = "The ETag of the draft.")), responses((status = 200, body = DraftView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn rebase(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
    IfMatch(revision): IfMatch,
) -> Result<Response, Problem> {
    let id = draft_id(&id)?;
    let rebased = act(&state, &caller, move |changes, actor| changes.rebase(actor, &id, revision));
    rebased.await.map(|draft| with_etag(&draft))
}
