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
use crate::access::explain::{
    Credential, Explanation, SampleRequest, Target, VerdictFields, explain as decide,
};
use crate::access::lint::lint;
use crate::admin::problem::{FieldError, Problem};
use crate::admin::state::AdminState;
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
    /// The scopes of the token. By default, it has all scopes that the client may ask for.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// The audience of the token.
    #[serde(default)]
    audience: Option<String>,
    /// The address of the client. Without it, the address lists of routes are not applied.
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

/// The decision about a request, and the reasons.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct AnswerView {
    /// `passes`, `endpoint`, `preflight` or `refused`.
    verdict: &'static str,
    /// The status of the gateway's own response.
    status: Option<u16>,
    /// The OAuth error of a refusal.
    error: Option<&'static str>,
    /// The reason for a refusal, or the endpoint that answers.
    reason: Option<String>,
    /// The key of gateway.toml that must change before such a request is accepted.
    setting: Option<&'static str>,
    /// The upstream that gets the request.
    upstream: Option<String>,
    /// The path that the upstream gets.
    path: Option<String>,
    /// The canonical path, which is compared with the patterns of routes.
    canonical_path: Option<String>,
    /// The route that matches the request.
    route: Option<RouteView>,
    /// What the client must name in its token request so that the request is accepted.
    token_request: Vec<String>,
    /// What an enforced route would do with the request, if it passes only because of shadow mode.
    enforced: Option<EnforcedView>,
}

/// What an enforced route would do with a request.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct EnforcedView {
    status: Option<u16>,
    error: Option<&'static str>,
    reason: Option<String>,
    /// The key of gateway.toml that must change before such a request is accepted.
    setting: Option<&'static str>,
}

/// Explains the decision about a request. No request is sent.
#[cfg_attr(test, utoipa::path(post, path = "/explain", tag = "questions", request_body = Question, responses((status = 200, body = AnswerView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn explain(
    State(state): State<AdminState>,
    Body(question): Body<Question>,
) -> Result<Json<AnswerView>, Problem> {
    let config = state.config_with_registered(question.client.as_deref().unwrap_or_default());
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
    let VerdictFields { name, status, error, reason, setting, upstream, path } = explanation.verdict.fields();
    AnswerView {
        verdict: name,
        status,
        error,
        reason,
        setting,
        upstream,
        path,
        route: explanation.route.map(|route| routes::view(config, index(route), route)),
        canonical_path: explanation.canonical_path,
        token_request,
        enforced: explanation.enforced.map(|enforced| {
            let VerdictFields { status, error, reason, setting, .. } = enforced.fields();
            EnforcedView { status, error, reason, setting }
        }),
    }
}

/// Changes to check.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    /// The operations. Without operations, the current configuration is checked.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Vec<Object>, max_items = 20))]
    operations: Vec<Json_>,
}

/// The errors and warnings of a configuration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct CheckView {
    /// Whether there are no errors. It is also `false` if only an owner may have the configuration compiled.
    good: bool,
    errors: Vec<FieldError>,
    /// The differences that only an owner may commit.
    owner_only: Vec<String>,
    /// Warnings about probable mistakes in the configuration that is in force.
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

/// Checks changes, or the current configuration.
#[cfg_attr(test, utoipa::path(post, path = "/check", tag = "questions", request_body = Check, responses((status = 200, body = CheckView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn check(
    State(state): State<AdminState>,
    caller: Caller,
    Body(check): Body<Check>,
) -> Result<Json<CheckView>, Problem> {
    bounded(&check.operations)?;
    let preview = act(&state, &caller, move |changes, actor| {
        let read = Operations::read(actor, check.operations)?;
        changes.preview_operations(actor, read.operations)
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
