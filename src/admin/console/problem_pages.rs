//! Errors as pages, for browsers.

use axum::body::{self, Body};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Deserialize;

use super::view::frame::Section;
use super::view::parts::Link;
use super::view::sign_in::ProblemPage;
use super::visit::{Visit, frame_alone, show};
use super::wording;
use crate::admin::state::AdminState;

/// The maximum size of an error body.
const MAX_ERROR: usize = 64 << 10;

/// The content of a problem (RFC 9457).
#[derive(Deserialize)]
struct Shown {
    title: String,
    detail: String,
    #[serde(default)]
    errors: Vec<ShownError>,
}

#[derive(Deserialize)]
struct ShownError {
    line: Option<u32>,
    key: String,
    message: String,
}

/// Converts error responses into pages, if the browser requests a page.
pub(super) async fn show_problems(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    if !accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let again = parts.clone();
    let response = next.run(Request::from_parts(again, body)).await;
    let is_html =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_html || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let (mut head, old) = response.into_parts();
    let text = body::to_bytes(old, MAX_ERROR).await.unwrap_or_default();
    let shown = serde_json::from_slice(&text).unwrap_or_else(|_| Shown {
        title: head.status.canonical_reason().unwrap_or("Error").to_owned(),
        detail: String::from_utf8_lossy(&text).into_owned(),
        errors: Vec::new(),
    });
    let title = wording::heading(&shown.title);
    let (frame, back) = match Visit::from_request_parts(&mut parts, &state).await {
        Ok(visit) => (visit.frame(Section::None, title), Link { url: "/".into(), text: "Overview".into() }),
        Err(_) => (frame_alone(title), Link { url: "/sign-in".into(), text: "Sign in".into() }),
    };
    let line = |error: ShownError| match error.line {
        Some(line) => format!("line {line}, {}: {}", error.key, error.message),
        None if error.key.is_empty() => error.message,
        None => format!("{}: {}", error.key, error.message),
    };
    let lines = shown.errors.into_iter().map(line).collect();
    match show(head.status, &ProblemPage { frame, detail: wording::sentence(&shown.detail), lines, back }) {
        Ok(page) => {
            let (fresh, body) = page.into_parts();
            head.headers.remove(CONTENT_LENGTH);
            head.headers.extend(fresh.headers);
            Response::from_parts(head, body)
        }
        Err(problem) => problem.into_response().map(Body::new),
    }
}
