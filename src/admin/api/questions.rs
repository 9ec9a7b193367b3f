//! Requests without effect: they explain a request, or check the configuration.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;

use super::act::act;
use super::caller::Caller;
use super::drafts::{Operations, bounded};
use super::extract::Body;
use super::routes::{self, RouteView};
use crate::access::explain::{Credential, Explanation, SampleRequest, Target, Verdict, explain as decide};
use crate::access::lint::lint;
use crate::admin::problem::{FieldError, Problem};
use crate::admin::state::AdminState;
use crate::change::actor::Role;
use crate::change::error::ChangeError;
use crate::config::{Config, ConfigWarning};
use crate::oauth::scope::Scopes;

/// The longest URL that is explained.
const LONGEST_URL: usize = 8 << 10;

/// A request to explain.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The method.
    #[serde(default = "usual_method")]
    #[cfg_attr(test, schema(max_length = 64))]
    method: String,
    /// The URL, or a path alone.
    #[cfg_attr(test, schema(min_length = 1, max_length = 8192))]
    url: String,
    /// The client whose token the request has.
    #[serde(default)]
    client: Option<String>,
    /// The scopes of the token. Left out, a client's token has all that it may ask for.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// The audience of the token.
    #[serde(default)]
    audience: Option<String>,
    /// The address of the client. Without it, lists of addresses do not apply.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    from: Option<IpAddr>,
    /// The origin of the page that sends the request.
    #[serde(default)]
    origin: Option<String>,
    /// The size of the body, in bytes.
    #[serde(default)]
    body: u64,
}

fn usual_method() -> String {
    "GET".to_owned()
}

/// What becomes of a request, and why.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct AnswerView {
    /// `passes`, `endpoint`, `preflight` or `refused`.
    verdict: &'static str,
    /// The status of a refusal.
    status: Option<u16>,
    /// The OAuth error of a refusal.
    error: Option<&'static str>,
    /// Why it is refused, or which endpoint answers.
    reason: Option<String>,
    /// The key of gateway.toml that would have to change.
    setting: Option<&'static str>,
    /// Where it goes.
    upstream: Option<String>,
    /// The path that the upstream gets.
    path: Option<String>,
    /// The canonical path, on which routes match.
    canonical_path: Option<String>,
    /// The route that decides.
    route: Option<RouteView>,
    /// What the client has to ask a token for, so that the request passes.
    token_request: Vec<String>,
}

/// Explains what becomes of a request. Nothing is sent.
#[cfg_attr(test, utoipa::path(post, path = "/explain", tag = "questions", request_body = Question, responses((status = 200, body = AnswerView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn explain(
    State(state): State<AdminState>,
    Body(question): Body<Question>,
) -> Result<Json<AnswerView>, Problem> {
    let config = state.config();
    let request = sample(&config, question)?;
    let explained = decide(&config, &request, |config| state.control().rules(config));
    let explanation = explained.map_err(|error| unprocessable(error.to_string()))?;
    Ok(Json(answer(&config, &request, explanation)))
}

fn unprocessable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-value", detail.into())
}

fn sample(config: &Config, question: Question) -> Result<SampleRequest, Problem> {
    if question.url.len() > LONGEST_URL {
        return Err(unprocessable("`url` is too long"));
    }
    let target = Target::parse(&question.url).map_err(unprocessable)?;
    let method =
        Method::from_bytes(question.method.as_bytes()).map_err(|_| unprocessable("`method` is no method"))?;
    let asked = match question.scopes {
        None => None,
        Some(scopes) if scopes.is_empty() => Some(Scopes::none()),
        Some(scopes) => Some(
            Scopes::from_tokens(scopes.iter().map(String::as_str))
                .map_err(|error| unprocessable(format!("`scopes`: {error}")))?,
        ),
    };
    let audience = question.audience;
    let credential = match (question.client, asked) {
        (None, None) => Credential::None,
        (None, Some(scopes)) => Credential::Scopes { scopes, audience },
        (Some(id), asked) => {
            let client =
                config.client(&id).ok_or_else(|| unprocessable("there is no client with this id"))?;
            let scopes = asked.unwrap_or_else(|| client.scopes.clone());
            if !client.scopes.contains_all(&scopes) {
                return Err(unprocessable("the client may not ask for all of these scopes"));
            }
            if audience.as_ref().is_some_and(|audience| !client.audiences.contains(audience)) {
                return Err(unprocessable("the client may not ask for this audience"));
            }
            Credential::Client { id, scopes, audience }
        }
    };
    let origin = question.origin.map(HeaderValue::try_from);
    let origin = origin.transpose().map_err(|_| unprocessable("`origin` is not a valid header value"))?;
    Ok(SampleRequest {
        method,
        target,
        credential,
        from: question.from,
        origin,
        request_method: None,
        body: question.body,
    })
}

fn answer(config: &Config, request: &SampleRequest, explanation: Explanation<'_>) -> AnswerView {
    let token_request = explanation.token_request(config, &request.credential);
    let index = |route| config.routes.iter().position(|known| std::ptr::eq(known, route)).unwrap_or(0);
    let mut view = AnswerView {
        verdict: "passes",
        status: None,
        error: None,
        reason: None,
        setting: None,
        upstream: None,
        path: None,
        route: explanation.route.map(|route| routes::view(config, index(route), route)),
        canonical_path: explanation.canonical_path,
        token_request,
    };
    match explanation.verdict {
        Verdict::Passes { upstream, path } => {
            (view.upstream, view.path) = (Some(upstream), Some(path));
        }
        Verdict::Endpoint(name) => {
            (view.verdict, view.reason) = ("endpoint", Some(name.to_owned()));
        }
        Verdict::Preflight { allowed } => {
            view.verdict = "preflight";
            view.reason =
                Some(if allowed { "the page may go on" } else { "the page may not go on" }.to_owned());
        }
        Verdict::Refused { status, error, reason, setting } => {
            view.verdict = "refused";
            (view.status, view.error, view.reason, view.setting) =
                (Some(status), error, Some(reason), setting);
        }
    }
    view
}

/// Changes to check.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    /// The changes. Without any, the configuration is checked as it is.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Vec<Object>, max_items = 20))]
    operations: Vec<Json_>,
}

/// What is wrong with a configuration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct CheckView {
    /// Whether there are no errors. It is `false`, too, if only an owner may have the configuration compiled.
    good: bool,
    errors: Vec<FieldError>,
    /// What only an owner may commit.
    owner_only: Vec<String>,
    /// What is probably not meant, in the configuration that is in force.
    warnings: Vec<WarningView>,
}

/// A warning about the configuration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct WarningView {
    /// The name of the kind of warning.
    lint: &'static str,
    line: Option<u32>,
    key: String,
    message: String,
}

/// Checks changes, or the configuration as it is.
#[cfg_attr(test, utoipa::path(post, path = "/check", tag = "questions", request_body = Check, responses((status = 200, body = CheckView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn check(
    State(state): State<AdminState>,
    caller: Caller,
    Body(check): Body<Check>,
) -> Result<Json<CheckView>, Problem> {
    bounded(&check.operations)?;
    // Reading operations hashes secrets, so it is for those who may make some.
    if !check.operations.is_empty() && caller.role < Role::Editor {
        return Err(Problem::from(&ChangeError::Role(Role::Editor)));
    }
    let preview = act(&state, &caller, move |changes, actor| {
        let read = Operations::read(check.operations)?;
        changes.preview_operations(actor, &read.operations)
    })
    .await?;
    let warning = |warning: &ConfigWarning| WarningView {
        lint: warning.lint.name(),
        line: warning.position.map(|position| position.line),
        key: warning.key.clone(),
        message: warning.message.clone(),
    };
    Ok(Json(CheckView {
        good: preview.errors.is_none() && preview.owner_only.is_empty(),
        errors: preview.errors.as_ref().map(FieldError::all).unwrap_or_default(),
        owner_only: preview.owner_only.iter().map(ToString::to_string).collect(),
        warnings: lint(&state.config()).iter().map(warning).collect(),
    }))
}
