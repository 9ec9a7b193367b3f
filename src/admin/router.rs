//! The routes of the listener, and the layers that every request passes.

use std::any::Any;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, body};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::api;
use super::console;
use super::cross_site::refuse_cross_site;
use super::endpoint::get;
use super::guard::guard;
use super::problem::{IsProblem, MEDIA_TYPE, Problem};
use super::response_headers::protect;
use super::state::AdminState;

/// The maximum size of a request body, which is enough for a whole gateway.toml.
const MAX_BODY: usize = 1 << 20;
/// How long a request may take until its response starts.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum size of an error body that is converted into a problem.
const MAX_ERROR: usize = 16 << 10;

/// Makes the routes.
pub(super) fn router(state: AdminState) -> Router {
    let pages = console::router(&state);
    let pages = pages.layer(middleware::from_fn_with_state(state.clone(), refuse_cross_site));
    Router::new()
        .merge(pages)
        .nest(api::PREFIX, api::router(state.gate()))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(api::ready))
        // The first layer is the outermost one. A tuple is one layer: axum compiles its code for each call of
        // `layer`.
        .layer((
            middleware::from_fn(protect),
            middleware::from_fn_with_state(state.clone(), guard),
            middleware::from_fn(errors_are_problems),
            CatchPanicLayer::custom(panicked),
            TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT),
            DefaultBodyLimit::max(MAX_BODY),
        ))
        .with_state(state)
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    log::error!("a request of the console panicked");
    Problem::internal().into_response()
}

/// Converts every error to the format of RFC 9457, including those of axum and of the layer in front of the
/// API. Error pages are not converted.
async fn errors_are_problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_page = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.to_str().is_ok_and(|value| value.starts_with("text/html")));
    let has_form = is_page || response.extensions().get::<IsProblem>().is_some();
    if has_form || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, old) = response.into_parts();
    let text = body::to_bytes(old, MAX_ERROR).await.unwrap_or_default();
    let (kind, detail) = match status {
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", described(&text)),
        StatusCode::UNAUTHORIZED => ("unauthorized", described(&text)),
        StatusCode::FORBIDDEN => ("forbidden", described(&text)),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", described(&text)),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", described(&text)),
        _ if status.is_server_error() => ("internal", None),
        _ => ("bad-request", described(&text)),
    };
    let detail =
        detail.unwrap_or_else(|| status.canonical_reason().unwrap_or("the request failed").to_owned());
    let (fresh, body) = Problem::new(status, kind, detail).into_response().into_parts();
    // The content length is that of the new body.
    parts.headers.remove(http::header::CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    parts.status = fresh.status;
    Response::from_parts(parts, body)
}

/// Returns the message of an error: the description in OAuth's JSON, or a short text.
fn described(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct OAuthError {
        #[serde(alias = "detail")]
        error_description: String,
    }
    if let Ok(error) = serde_json::from_slice::<OAuthError>(body) {
        return Some(error.error_description);
    }
    let text = std::str::from_utf8(body).ok()?.trim();
    (!text.is_empty() && !text.starts_with(['{', '<'])).then(|| text.to_owned())
}
