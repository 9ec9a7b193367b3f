//! Requests to servers that speak HTTP/1.1.

use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::time::{Instant, timeout};

use super::error::ForwardError;
use super::outbound::Outbound;
use crate::gate::Gate;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::Permit;
use crate::proxy::body::lease::TokenLease;
use crate::proxy::body::request::{BodyOutcome, RequestBody};
use crate::proxy::body::response::ResponseBody;
use crate::proxy::body::source::Source;
use crate::proxy::body::upstream_body::UpstreamBody;
use crate::proxy::observe::trace::UpstreamTrace;
use crate::proxy::tunnel;
use crate::upstream::group::Upstream;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::fault::Fault;
use crate::upstream::http1::pool::{self, ConnectError};
use crate::upstream::http1::request::{RequestHead, RequestWriter};
use crate::upstream::http1::response::{Answer, ResponseExpectation};
use crate::upstream::pick::PickContext;

/// Sends a request upstream and returns the response.
pub(super) async fn forward(
    permit: Permit,
    gate: &Gate,
    upstream: &Upstream,
    outbound: Outbound<(Method, RequestHead)>,
    trip: &mut UpstreamTrace,
) -> Result<Response<ResponseBody>, ForwardError> {
    let Outbound { head: (method, head), body, upgrade, limits, mut bounds } = outbound;
    let (body, outcome) = RequestBody::new(body, limits, upstream, || TokenLease::new(gate, permit.clone()));
    trip.body.clone_from(&outcome);
    // RFC 9110 §9.2.2; and only without a body, which is gone once sent.
    let replayable = method.is_idempotent() && outcome.is_none() && upgrade.is_none();
    let asked = ResponseExpectation { head: method == Method::HEAD, upgrade: upgrade.is_some() };

    let mut asking = PickContext::new(permit.client_id());
    let mut sending = RequestWriter::new(head, body);
    let exchange = Exchange { upstream, asked, outcome: outcome.as_ref(), replayable };
    let (answer, mut connection) = match upstream.total_timeout {
        None => exchange.run(&mut asking, &mut sending, &mut bounds, trip).await?,
        // Boxed: it would make the future of every other request twice as large.
        Some(total) => {
            ExchangeLimits::of(&mut bounds).deadline = Instant::now().checked_add(total);
            let within = Box::pin(timeout(total, exchange.run(&mut asking, &mut sending, &mut bounds, trip)));
            match within.await {
                Ok(exchanged) => exchanged?,
                Err(_) => {
                    // With a body on its way up, it may be the client that was slow.
                    if outcome.is_none() {
                        upstream.record_last_failure(&asking);
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
        return Ok(tunnel::start(head, connection, client, TokenLease::new(gate, permit), bounds));
    }
    if sending.is_done()
        && let Some(whole) = connection.take_whole(&mut body)
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
    asked: ResponseExpectation,
    outcome: Option<&'a BodyOutcome>,
    /// Whether it may be sent again although a server may have acted on it.
    replayable: bool,
}

impl Exchange<'_> {
    /// Sends a request until a server answers it, as often as is safe and allowed.
    async fn run(
        &self,
        asking: &mut PickContext<'_>,
        sending: &mut RequestWriter<RequestBody>,
        bounds: &mut Option<Box<ExchangeLimits>>,
        trip: &mut UpstreamTrace,
    ) -> Result<(Answer, Connection), ForwardError> {
        let upstream = self.upstream;
        upstream.count();
        let mut tries_left = upstream.retries;
        let mut pooled_allowed = true;
        loop {
            let (server, place) = upstream.pick(asking).ok_or(ForwardError::NoServer)?;
            if let Some(place) = place {
                ExchangeLimits::of(bounds).server = Some(place);
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
                            upstream.record_failure(server, &error);
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
                    upstream.record_response(server, answer.head.status());
                    return Ok((answer, connection));
                }
                Err(fault) => fault,
            };
            if let Some(fault) = self.body_fault() {
                return Err(fault);
            }
            let Some(fault) = fault else {
                upstream.record_failure(server, &"no answer in time");
                return Err(ForwardError::TooSlow);
            };
            // A kept connection that breaks says little of the server; a new one does.
            if !reused && !matches!(fault, Fault::Request) {
                upstream.record_failure(server, &fault);
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
        sending: &mut RequestWriter<RequestBody>,
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
