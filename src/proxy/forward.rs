//! A permitted request, upstream and back.

use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::balance::Asking;
use super::body::{BodyFault, BodyOutcome, RequestBody, ResponseBody, TokenLease, UpstreamBody};
use super::h1::{Answer, Asked, Connection, Fault, RequestHead, Sending};
use super::h2;
use super::limits::Bounds;
use super::observe::Trip;
use super::pool::{self, ConnectError};
use super::source::Source;
use super::tunnel;
use super::upstream::Upstream;
use crate::answer;
use crate::gate::Gate;
use crate::oauth::decide::Permit;

/// Why there is no answer from upstream.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForwardError {
    /// No server is healthy: 503.
    NoServer,
    /// The server refuses connections or breaks them: 502.
    Unreachable(String),
    /// No connection, or no answer, in time: 504.
    TooSlow,
    /// What came back is no answer that could be passed on: 502.
    BadAnswer(String),
    /// The request's own body was at fault: 413, 400 or 408. Or its token ended under way, which the gate answers: 401.
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
            Self::Body(BodyFault::BrokenOff) => (StatusCode::BAD_REQUEST, "the request body broke off"),
            Self::Body(_) => (StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time"),
        };
        let mut response = answer::problem(status, detail);
        if matches!(self, Self::NoServer) {
            // As often as servers are probed unless the file says otherwise.
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<Fault> for ForwardError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Closed | Fault::Io(_) => Self::Unreachable(fault.to_string()),
            Fault::Bad(_) | Fault::Framing(_) => Self::BadAnswer(fault.to_string()),
            // Too long and too slow are told apart before this: the client is gone.
            Fault::Request => Self::Body(BodyFault::BrokenOff),
        }
    }
}

/// What a route says about the bodies that pass it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) max: Option<u64>,
    pub(super) timeout: Duration,
}

/// The head of a request as its upstream takes it: canonical, sanitised and identified.
pub(super) enum Head {
    Http1(Method, RequestHead),
    /// Boxed: the requests that count are of the other kind.
    Http2(Box<Request<()>>),
}

/// A request ready to go.
pub(super) struct Outbound<H> {
    pub(super) head: H,
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
    outbound: Outbound<Head>,
    trip: &mut Trip,
) -> Result<Response<ResponseBody>, ForwardError> {
    let Outbound { head, body, upgrade, limits, mut bounds } = outbound;
    trip.departs(upstream);
    let (method, head) = match head {
        Head::Http1(method, head) => (method, head),
        Head::Http2(head) => {
            let outbound = Outbound { head: *head, body, upgrade, limits, bounds };
            // Boxed: or it would make the future of every other request larger.
            return Box::pin(h2::forward(permit, gate, upstream, outbound, trip)).await;
        }
    };
    let (body, outcome) = RequestBody::new(body, limits, upstream, || TokenLease::new(gate, permit.clone()));
    trip.body.clone_from(&outcome);
    // RFC 9110 §9.2.2; and only without a body, which is gone once sent.
    let replayable = method.is_idempotent() && outcome.is_none() && upgrade.is_none();
    let asked = Asked { head: method == Method::HEAD, upgrade: upgrade.is_some() };

    let mut asking = Asking::new(permit.client_id());
    let mut sending = Sending::new(head, body);
    let exchange = Exchange { upstream, asked, outcome: outcome.as_ref(), replayable };
    let (answer, mut connection) = match upstream.total_timeout {
        None => exchange.run(&mut asking, &mut sending, &mut bounds, trip).await?,
        // Boxed: it would make the future of every other request twice as large.
        Some(total) => {
            Bounds::of(&mut bounds).deadline = Instant::now().checked_add(total);
            let within = Box::pin(timeout(total, exchange.run(&mut asking, &mut sending, &mut bounds, trip)));
            match within.await {
                Ok(exchanged) => exchanged?,
                Err(_) => {
                    // With a body on its way up, it may be the client that was slow.
                    if outcome.is_none() {
                        upstream.failed_last(&asking);
                    }
                    return Err(ForwardError::TooSlow);
                }
            }
        }
    };
    let Answer { head, mut body, .. } = answer;
    if let Some(client) = upgrade
        && head.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        let (leave, watch) = oneshot::channel();
        trip.tunnel = Some(leave);
        return Ok(tunnel::start(head, connection, client, TokenLease::new(gate, permit), bounds, watch));
    }
    if sending.is_done()
        && let Some(whole) = body.take_whole(&mut connection)
    {
        pool::give_back(connection);
        return Ok(head.map(|()| ResponseBody::from(Full::new(whole))));
    }
    let lease = TokenLease::new(gate, permit);
    let sending = (!sending.is_done()).then(|| Box::new(sending));
    let source = Source::Http1 { body, connection: Some(connection), sending };
    let stream = UpstreamBody::new(source, upstream.read_timeout, lease, bounds);
    Ok(head.map(|()| ResponseBody::from(stream)))
}

/// What stays the same over the tries of one request.
struct Exchange<'a> {
    upstream: &'a Upstream,
    asked: Asked,
    outcome: Option<&'a BodyOutcome>,
    /// Whether it may be sent again although a server may have acted on it.
    replayable: bool,
}

impl Exchange<'_> {
    /// Sends a request until a server answers it, as often as is safe and allowed.
    async fn run(
        &self,
        asking: &mut Asking<'_>,
        sending: &mut Sending,
        bounds: &mut Option<Box<Bounds>>,
        trip: &mut Trip,
    ) -> Result<(Answer, Connection), ForwardError> {
        let upstream = self.upstream;
        upstream.count();
        let mut tries_left = upstream.retries;
        let mut pooled_allowed = true;
        loop {
            let (server, place) = upstream.pick(asking).ok_or(ForwardError::NoServer)?;
            if let Some(place) = place {
                Bounds::of(bounds).server = Some(place);
            }
            let now = Instant::now();
            trip.goes_to(server, now);
            let pooled = if pooled_allowed {
                poll_fn(|cx| Poll::Ready(pool::idle(server, now, cx))).await
            } else {
                None
            };
            let reused = pooled.is_some();
            let mut connection = match pooled {
                Some(connection) => connection,
                // Boxed: seldom, and its state would make the future of every request larger.
                None => match Box::pin(pool::open(Arc::clone(server), upstream.connect_timeout)).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        if error.is_the_server_s() {
                            upstream.failed(server, &error);
                        }
                        // Nothing was written: any request may try again.
                        if tries_left > 0 && upstream.may_retry() {
                            tries_left -= 1;
                            asking.failed();
                            continue;
                        }
                        return Err(match error {
                            ConnectError::TooSlow => ForwardError::TooSlow,
                            ConnectError::Io(error) => ForwardError::Unreachable(error.to_string()),
                        });
                    }
                },
            };
            let fault = match self.send(&mut connection, sending).await {
                Ok(answer) => {
                    upstream.answered(server, answer.head.status());
                    return Ok((answer, connection));
                }
                Err(fault) => fault,
            };
            if let Some(fault) = self.body_fault() {
                return Err(fault);
            }
            let Some(fault) = fault else {
                upstream.failed(server, &"no answer in time");
                return Err(ForwardError::TooSlow);
            };
            // A kept connection that breaks says little of the server; a new one does.
            if !reused && !matches!(fault, Fault::Request) {
                upstream.failed(server, &fault);
            }
            let broken = matches!(fault, Fault::Closed | Fault::Io(_));
            if !broken || !(self.replayable || sending.is_unsent()) {
                return Err(ForwardError::from(fault));
            }
            if reused {
                // The server closed it just now, with the request on its way. That costs no try, but the next
                // connection must be a new one, or many dead ones would be walked through.
                pooled_allowed = false;
            } else if tries_left > 0 && upstream.may_retry() {
                tries_left -= 1;
                asking.failed();
            } else {
                return Err(ForwardError::from(fault));
            }
            sending.rewind();
        }
    }

    fn body_fault(&self) -> Option<ForwardError> {
        self.outcome.and_then(BodyOutcome::fault).map(ForwardError::Body)
    }

    /// Sends a request over this connection and waits for its answer; the fault is none if it is late.
    async fn send(
        &self,
        connection: &mut Connection,
        sending: &mut Sending,
    ) -> Result<Answer, Option<Fault>> {
        let read_timeout = self.upstream.read_timeout;
        connection.deadline.as_mut().reset(connection.used + read_timeout);
        let mut frames = 0;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = connection.poll_exchange(sending, self.asked, cx) {
                return Poll::Ready(answer.map_err(Some));
            }
            while connection.deadline.as_mut().poll(cx).is_ready() {
                // While a body is still going up, the server is not late.
                match self.outcome.map(BodyOutcome::frames).filter(|now| *now != frames) {
                    Some(now) => frames = now,
                    // Nor while the client says nothing: the body has a timeout of its own.
                    None if sending.waits_for_client() => {}
                    None => return Poll::Ready(Err(None)),
                }
                connection.deadline.as_mut().reset(Instant::now() + read_timeout);
            }
            Poll::Pending
        })
        .await
    }
}
