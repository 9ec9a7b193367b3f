//! Answers made here rather than upstream: the headers they all carry, and the two forms they take.

#[cfg(feature = "gateway")]
use std::pin::Pin;
#[cfg(feature = "gateway")]
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// A JSON answer that nobody may keep.
#[must_use]
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    with_type(status, "application/json", body)
}

/// RFC 9457 problem details: a title by the status, and what the caller can do about it.
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

/// What an answer of ours tells the caller in words; empty if it has none.
#[cfg(feature = "gateway")]
pub(crate) fn text(answer: &Response<Full<Bytes>>) -> String {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(alias = "error_description")]
        detail: String,
    }
    let told = serde_json::from_slice::<Told>(&whole(answer)).ok();
    told.map(|told| told.detail).unwrap_or_default()
}

/// The body of a response of ours.
#[cfg(feature = "gateway")]
pub(crate) fn whole(answer: &Response<Full<Bytes>>) -> Bytes {
    // All in memory: it is there at once.
    let mut body = answer.body().clone();
    let polled = http_body::Body::poll_frame(Pin::new(&mut body), &mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Some(Ok(frame))) = polled else { return Bytes::new() };
    frame.into_data().unwrap_or_default()
}

fn with_type(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response<Full<Bytes>> {
    // None of our bodies can fail to serialise (string keys, no maps of other things); an empty body would
    // still carry the right status.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
