//! Responses that the gateway makes itself: the header fields common to all, and the two forms of their
//! bodies.

#[cfg(feature = "gateway")]
use std::pin::Pin;
#[cfg(feature = "gateway")]
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
#[cfg(feature = "gateway")]
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// Builds a JSON response that must not be cached.
#[must_use]
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    with_type(status, "application/json", body)
}

/// Builds a response with this JSON, which must not be cached.
#[must_use]
pub(crate) fn json_text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    of_type(status, "application/json", body.into())
}

/// Builds a response with this JSON.
#[cfg(feature = "gateway")]
#[must_use]
pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    of_type(status, "application/json", body)
}

/// Builds a problem details response (RFC 9457). `detail` says what the caller can do.
#[must_use]
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Problem<'a> {
        title: &'a str,
        status: u16,
        detail: &'a str,
    }
    let title = status.canonical_reason().unwrap_or("Error");
    with_type(status, "application/problem+json", &Problem { title, status: status.as_u16(), detail })
}

/// Returns the detail or the OAuth error description of a local response, or an empty string if it has
/// neither.
#[cfg(feature = "gateway")]
pub(crate) fn detail(response: &Response<Full<Bytes>>) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(alias = "error_description")]
        detail: String,
    }
    let body = serde_json::from_slice::<Body>(&body(response)).ok();
    body.map(|body| body.detail).unwrap_or_default()
}

/// Returns the body of a local response.
#[cfg(feature = "gateway")]
pub(crate) fn body(response: &Response<Full<Bytes>>) -> Bytes {
    whole(response.body().clone())
}

/// Splits a local response into its head and its body.
#[cfg(feature = "gateway")]
pub(crate) fn split(response: Response<Full<Bytes>>) -> (Parts, Bytes) {
    let (parts, body) = response.into_parts();
    (parts, whole(body))
}

#[cfg(feature = "gateway")]
fn whole(mut body: Full<Bytes>) -> Bytes {
    // The whole body is in memory, so the first poll returns it.
    let polled = http_body::Body::poll_frame(Pin::new(&mut body), &mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Some(Ok(frame))) = polled else { return Bytes::new() };
    frame.into_data().unwrap_or_default()
}

fn with_type(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response<Full<Bytes>> {
    // Serialization cannot fail: every map in these bodies has string keys.
    let body = serde_json::to_vec(body).unwrap_or_default();
    of_type(status, media_type, body.into())
}

fn of_type(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    // With room for a challenge, and for headers that the caller adds.
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    *response.headers_mut() = headers;
    response
}
