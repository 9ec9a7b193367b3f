//! A permitted request, upstream and back.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::balance::Asking;
use super::body::{BodyFault, BodyOutcome, RequestBody, ResponseBody, TokenLease};
use super::headers::{self, Returning};
use super::limits::Bounds;
use super::observe::Trip;
use super::pool::{ConnectError, Connection};
use super::tunnel;
use super::upstream::Upstream;
use crate::answer;
use crate::gate::Gate;
use crate::oauth::decide::Permit;

/// Why there is no answer from upstream.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForwardError {
    /// No server is there to ask: 503.
    NoServer,
    /// The server refuses connections or breaks them: 502.
    Unreachable(String),
    /// No connection, or no answer, in time: 504.
    TooSlow,
    /// What came back is no answer that could be passed on: 502.
    BadAnswer(&'static str),
    /// The request's own body was at fault: 413 or 408.
    Body(BodyFault),
}

impl ForwardError {
    /// What the client is told: nothing about who or where the server is.
    #[must_use]
    pub fn to_response(&self) -> Response<Full<Bytes>> {
        let (status, detail) = match self {
            Self::NoServer => {
                (StatusCode::SERVICE_UNAVAILABLE, "no server of this API is available: try again later")
            }
            Self::Unreachable(_) => {
                (StatusCode::BAD_GATEWAY, "the API behind this gateway cannot be reached")
            }
            Self::BadAnswer(_) => {
                (StatusCode::BAD_GATEWAY, "the API behind this gateway gave no valid answer")
            }
            Self::TooSlow => {
                (StatusCode::GATEWAY_TIMEOUT, "the API behind this gateway did not answer in time")
            }
            Self::Body(BodyFault::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "the request body is larger than this API takes")
            }
            Self::Body(_) => (StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time"),
        };
        answer::problem(status, detail)
    }
}

/// What a route says about the bodies that pass it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) max: Option<u64>,
    pub(super) timeout: Duration,
}

/// A request ready to go: its head canonical, sanitised and identified.
pub(super) struct Outbound {
    pub(super) parts: Parts,
    pub(super) body: Incoming,
    /// The client's side of an upgrade that was asked for.
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) limits: BodyLimits,
    /// What it holds until its answer has ended.
    pub(super) bounds: Option<Box<Bounds>>,
}

/// Sends a request upstream and brings the answer back.
pub(super) async fn forward(
    permit: Permit,
    gate: &Gate,
    upstream: &Upstream,
    outbound: Outbound,
    trip: &mut Trip,
) -> Result<Response<ResponseBody>, ForwardError> {
    let Outbound { mut parts, body, upgrade, limits, mut bounds } = outbound;
    trip.departs(upstream);
    parts.version = Version::HTTP_11;
    let (body, outcome) = RequestBody::new(body, limits.max, limits.timeout);
    trip.body.clone_from(&outcome);
    // RFC 9110 §9.2.2; and only without a body, which is gone once sent.
    let replayable = parts.method.is_idempotent() && outcome.is_none() && upgrade.is_none();

    let asking = Asking::new(permit.client_id());
    let (response, connection) = match upstream.total_timeout {
        None => exchange(upstream, asking, parts, body, outcome, replayable, &mut bounds, trip).await?,
        // Boxed: it would make the future of every other request twice as large.
        Some(total) => {
            Bounds::of(&mut bounds).deadline = Instant::now().checked_add(total);
            let exchange = exchange(upstream, asking, parts, body, outcome, replayable, &mut bounds, trip);
            let within = Box::pin(timeout(total, exchange));
            within.await.map_err(|_| ForwardError::TooSlow)??
        }
    };
    let lease = TokenLease::new(gate, permit);
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return match upgrade {
            Some(client) => {
                let (leave, watch) = oneshot::channel();
                trip.tunnel = Some(leave);
                tunnel::start(response, connection, client, lease, bounds, watch)
            }
            // A server that switches protocols unasked would have the rest of the connection read as something
            // that was never authorised.
            None => Err(ForwardError::BadAnswer("101 to a request that asked for no upgrade")),
        };
    }
    let (mut head, incoming) = response.into_parts();
    headers::sanitise_response(&mut head.headers, Returning { version: head.version, upgraded: false })
        .map_err(|_| ForwardError::BadAnswer("ambiguous framing"))?;
    head.version = Version::HTTP_11;
    let body = ResponseBody::upstream(incoming, connection, upstream.read_timeout, lease, bounds);
    Ok(Response::from_parts(head, body))
}

#[expect(clippy::too_many_arguments, reason = "called twice, right above")]
/// Sends a request until a server answers it, as often as is safe and allowed.
async fn exchange(
    upstream: &Upstream,
    mut asking: Asking<'_>,
    parts: Parts,
    body: RequestBody,
    outcome: Option<BodyOutcome>,
    replayable: bool,
    bounds: &mut Option<Box<Bounds>>,
    trip: &mut Trip,
) -> Result<(Response<Incoming>, Connection), ForwardError> {
    let mut request = Request::from_parts(parts, body);
    let mut tries_left = upstream.retries;
    let mut pooled_allowed = true;
    loop {
        let (server, place) = upstream.pick(&mut asking).ok_or(ForwardError::NoServer)?;
        if let Some(place) = place {
            Bounds::of(bounds).server = Some(place);
        }
        let now = Instant::now();
        trip.goes_to(server, now);
        let pooled = if pooled_allowed { Connection::idle(server, now) } else { None };
        let reused = pooled.is_some();
        let mut connection = match pooled {
            Some(connection) => connection,
            // Boxed: seldom, and its state would make the future of every request larger.
            None => match Box::pin(Connection::open(Arc::clone(server), upstream.connect_timeout)).await {
                Ok(connection) => connection,
                // Nothing was written: any request may try again.
                Err(_) if tries_left > 0 => {
                    tries_left -= 1;
                    asking.failed();
                    continue;
                }
                Err(ConnectError::TooSlow) => return Err(ForwardError::TooSlow),
                Err(ConnectError::Io(error)) => return Err(ForwardError::Unreachable(error.to_string())),
                Err(ConnectError::Http(error)) => return Err(ForwardError::Unreachable(error.to_string())),
            },
        };
        // A kept connection may have been closed by the server just now, with the request half on its way.
        let copy = (reused && replayable).then(|| head_copy(&request));
        let now = if reused { now } else { Instant::now() };
        match send(&mut connection, request, now, upstream.read_timeout, outcome.as_ref()).await {
            Ok(response) => return Ok((response, connection)),
            Err(Sent::Not(unsent)) => {
                // The connection was dead before a byte was written: no try was spent, but the next connection
                // must be a new one, or many dead ones would be walked through.
                if !pooled_allowed {
                    return Err(ForwardError::Unreachable("the server closes new connections".to_owned()));
                }
                pooled_allowed = false;
                request = *unsent;
            }
            Err(Sent::Broken(error)) => {
                if let Some(fault) = outcome.as_ref().and_then(BodyOutcome::fault) {
                    return Err(ForwardError::Body(fault));
                }
                let Some(copy) =
                    copy.filter(|_| error.is_incomplete_message() || error.is_canceled() || is_io(&error))
                else {
                    return Err(if error.is_parse() {
                        ForwardError::BadAnswer("not HTTP")
                    } else {
                        ForwardError::Unreachable(error.to_string())
                    });
                };
                pooled_allowed = false;
                request = copy;
            }
            Err(Sent::TooSlow) => {
                return Err(match outcome.as_ref().and_then(BodyOutcome::fault) {
                    Some(fault) => ForwardError::Body(fault),
                    None => ForwardError::TooSlow,
                });
            }
        }
    }
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

fn head_copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

/// How far a request came that has no answer.
enum Sent {
    /// Not a byte was written: here it is again.
    Not(Box<Request<RequestBody>>),
    /// The connection broke while it was being sent or answered.
    Broken(hyper::Error),
    /// No answer in time.
    TooSlow,
}

async fn send(
    connection: &mut Connection,
    request: Request<RequestBody>,
    now: Instant,
    read_timeout: Duration,
    outcome: Option<&BodyOutcome>,
) -> Result<Response<Incoming>, Sent> {
    let answer = match connection.try_send(request, now) {
        Ok(answer) => answer,
        // A new connection; or one that is not done, or that the server has closed.
        Err(request) => {
            let usable = poll_fn(|cx| connection.poll_usable(cx)).await;
            match if usable { connection.try_send(request, now) } else { Err(request) } {
                Ok(answer) => answer,
                Err(request) => return Err(Sent::Not(Box::new(request))),
            }
        }
    };
    connection.deadline.as_mut().reset(now + read_timeout);
    let mut answer = pin!(answer);
    let mut frames = 0;
    poll_fn(|cx| {
        // Before it writes, this reads what the server said while the connection was idle: if that was goodbye, the
        // request comes back unsent.
        let polled = connection.poll_with(cx, |cx| {
            answer.as_mut().poll(cx).map_err(|mut error| match error.take_message() {
                Some(unsent) => Sent::Not(Box::new(unsent)),
                None => Sent::Broken(error.into_error()),
            })
        });
        if polled.is_ready() {
            return polled;
        }
        while connection.deadline.as_mut().poll(cx).is_ready() {
            // While a body is still going up, the server is not late.
            match outcome.map(BodyOutcome::frames).filter(|now| *now != frames) {
                Some(now) => frames = now,
                None => return Poll::Ready(Err(Sent::TooSlow)),
            }
            connection.deadline.as_mut().reset(Instant::now() + read_timeout);
        }
        Poll::Pending
    })
    .await
}
