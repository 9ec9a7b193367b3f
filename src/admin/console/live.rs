//! Notifies open pages that something changed (server-sent events). The page then requests the changed parts.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, interval};

use super::visit::{Answer, Visit};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::telemetry::Totals;

/// How often the state of the gateway is checked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The number of checks after which the stream ends. The browser then opens another one, which checks the
/// session again.
const MOST_LOOKS: u32 = 150;

/// Opens a stream.
pub(super) async fn stream(visit: Visit) -> Answer {
    let Ok(place) = Arc::<Semaphore>::clone(&visit.console.streams).try_acquire_owned() else {
        let busy = "too many pages are open: this one does not change by itself";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", busy).retry_after(30));
    };
    let body = Events {
        _place: place,
        admin: visit.admin,
        looks: interval(LOOK_EVERY),
        looked: 0,
        seen: None,
        settling: false,
    };
    let mut response: Response = Body::new(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// Returns a number that changes when a page may look different.
fn fingerprint(admin: &AdminState) -> u64 {
    let gauges = admin.proxy().gauges();
    let totals = Totals::read(&gauges);
    let mut hasher = DefaultHasher::new();
    (totals.requests, totals.issued, totals.not_issued, gauges.tokens_live).hash(&mut hasher);
    admin.control().last_reload().map(|reload| reload.at).hash(&mut hasher);
    for upstream in &admin.proxy().rules().upstreams {
        for server in upstream.servers() {
            (server.state.health.is_unhealthy(), server.state.changes.count()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

struct Events {
    _place: OwnedSemaphorePermit,
    admin: AdminState,
    looks: Interval,
    looked: u32,
    seen: Option<u64>,
    /// Whether the last check found a change. What a request leads to may be counted a moment after the request.
    settling: bool,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            ready!(self.looks.poll_tick(cx));
            self.looked += 1;
            if self.looked > MOST_LOOKS {
                return Poll::Ready(None);
            }
            let now = fingerprint(&self.admin);
            let before = self.seen.replace(now);
            // The page was rendered before the first check, so it may be out of date already.
            let changed = before != Some(now);
            let settling = std::mem::replace(&mut self.settling, changed);
            let text = if changed || settling {
                "data: changed\n\n"
            } else if self.looked.is_multiple_of(8) {
                ": still here\n\n"
            } else {
                continue;
            };
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))));
        }
    }
}
