//! Requests to servers that speak HTTP/1.1.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderMap, Response};
use http_body_util::Full;
use tokio::time::Instant;

use super::error::ForwardError;
use super::retry::{self, Retries};
use crate::clock::turn;
use crate::gate::Gate;
use crate::headers::{Returning, for_client};
use crate::http1::{Asked, ResponseFraming};
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::Lease;
use crate::proxy::body::downstream::BodyDownstream;
use crate::proxy::body::lease::TokenLease;
use crate::proxy::body::response::ResponseBody;
use crate::proxy::body::source::{Http1Source, Source};
use crate::proxy::body::upstream_body::UpstreamBody;
use crate::proxy::observe::trace::UpstreamTrace;
use crate::upstream::downstream::Downstream;
use crate::upstream::group::Upstream;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::fault::Fault;
use crate::upstream::http1::pool::{self, ConnectError};
use crate::upstream::http1::writer::RequestWriter;
use crate::upstream::pick::PickContext;

/// What stays the same over the tries of one request.
pub(crate) struct Exchange<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) asked: Asked,
    /// Whether it may be sent again although a server may have acted on it (RFC 9110 §9.2.2); never with a body, which is
    /// gone once sent.
    pub(crate) replayable: bool,
    /// Whose request it is.
    pub(crate) client: Option<&'a str>,
}

/// Why a try has failed.
enum Failure {
    Fault(Fault),
    /// No response within the read timeout.
    Late,
    /// No response within the total timeout.
    Expired,
    /// Nobody waits for the response any more.
    ClientGone,
}

impl Exchange<'_> {
    /// Sends a request until a server answers it, as often as is safe and allowed. The head of the response is in the
    /// connection.
    pub(crate) async fn run<D: Downstream>(
        &self,
        writer: &mut RequestWriter,
        down: &mut D,
        bounds: &mut Option<Box<ExchangeLimits>>,
        trace: &mut UpstreamTrace,
    ) -> Result<Box<Connection>, ForwardError> {
        let upstream = self.upstream;
        let mut context = PickContext::new(self.client);
        if let Some(total) = upstream.total_timeout {
            ExchangeLimits::of(bounds).deadline = turn::now().checked_add(total);
        }
        let deadline = bounds.as_ref().and_then(|bounds| bounds.deadline);
        upstream.count();
        let mut retries = Retries::new(upstream.retries, self.replayable);
        let mut pooled_allowed = true;
        loop {
            let (server, place) = upstream.pick(&mut context).ok_or(ForwardError::NoServer)?;
            if let Some(place) = place {
                ExchangeLimits::of(bounds).server = Some(place);
            }
            let now = turn::now();
            trace.goes_to(server, now);
            let pooled = if pooled_allowed { pool::idle(server, now) } else { None };
            let reused = pooled.is_some();
            let mut connection = match pooled {
                Some(connection) => connection,
                // Boxed: seldom, and its state would make the future of every request larger.
                None => {
                    let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
                    let within =
                        left.map_or(upstream.connect_timeout, |left| left.min(upstream.connect_timeout));
                    match Box::pin(pool::open(Arc::clone(server), within)).await {
                        Ok(connection) => connection,
                        Err(error) => {
                            if error.is_the_server_s() {
                                upstream.record_failure(server, &error);
                            }
                            let in_time = deadline.is_none_or(|deadline| Instant::now() < deadline);
                            if in_time
                                && retries.allow(retry::Failure::Unsent, false, || upstream.may_retry())
                            {
                                context.failed();
                                continue;
                            }
                            return Err(match error {
                                ConnectError::TooSlow => ForwardError::TooSlow,
                                ConnectError::Io(error) => ForwardError::Unreachable(error.to_string()),
                            });
                        }
                    }
                }
            };
            let fault = match self.send(&mut connection, writer, down, deadline).await {
                Ok(()) => {
                    if let Some(head) = connection.head() {
                        upstream.record_response(server, head.status());
                    }
                    return Ok(connection);
                }
                Err(Failure::ClientGone) => return Err(ForwardError::ClientGone),
                Err(Failure::Expired) => {
                    // With a body on its way up, it may be the client that was slow.
                    if self.replayable || writer.is_done() {
                        upstream.record_failure(server, &"no whole answer in time");
                    }
                    return Err(ForwardError::TooSlow);
                }
                Err(Failure::Late) => {
                    upstream.record_failure(server, &"no answer in time");
                    return Err(ForwardError::TooSlow);
                }
                Err(Failure::Fault(Fault::Body(fault))) => return Err(ForwardError::Body(fault)),
                Err(Failure::Fault(fault)) => fault,
            };
            // A kept connection that breaks says little of the server; a new one does.
            if !reused {
                upstream.record_failure(server, &fault);
            }
            let failure = if !fault.is_of_connection() {
                retry::Failure::Fatal
            } else if writer.is_unsent() {
                retry::Failure::Unsent
            } else {
                retry::Failure::Broken
            };
            if !retries.allow(failure, reused, || upstream.may_retry()) {
                return Err(ForwardError::from(fault));
            }
            if reused {
                // The server closed it just now. The next connection is a new one, or many dead ones would be walked
                // through.
                pooled_allowed = false;
            } else {
                context.failed();
            }
            writer.rewind();
        }
    }

    /// Sends a request over this connection and waits for the head of its response.
    async fn send<D: Downstream>(
        &self,
        connection: &mut Connection,
        writer: &mut RequestWriter,
        down: &mut D,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        let read_timeout = self.upstream.read_timeout;
        let mut late_at = connection.used + read_timeout;
        let mut sent = 0;
        poll_fn(|cx| {
            if let Poll::Ready(head) = connection.poll_head(writer, down, self.asked, cx) {
                return Poll::Ready(head.map_err(Failure::Fault));
            }
            if down.poll_client(cx).is_ready() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            loop {
                let next = deadline.map_or(late_at, |deadline| deadline.min(late_at));
                let Poll::Ready(now) = down.alarm().poll(next, cx) else { return Poll::Pending };
                if deadline.is_some_and(|deadline| now >= deadline) {
                    return Poll::Ready(Err(Failure::Expired));
                }
                // While a body is still going up, the server is not late. Nor while the client says nothing: the body
                // has a timeout of its own.
                let moved = std::mem::replace(&mut sent, down.body_bytes()) != sent;
                if !moved && !writer.waits_for_client() {
                    return Poll::Ready(Err(Failure::Late));
                }
                late_at = now + read_timeout;
            }
        })
        .await
    }
}

/// The response to an HTTP/2 client.
pub(crate) fn respond(
    mut connection: Box<Connection>,
    writer: RequestWriter,
    down: BodyDownstream,
    gate: &Gate,
    lease: &Lease,
    upstream: &Upstream,
    bounds: Option<Box<ExchangeLimits>>,
) -> Response<ResponseBody> {
    let mut response = Response::new(());
    if let Some(head) = connection.head() {
        *response.status_mut() = head.status();
        let mut headers = HeaderMap::new();
        let returning = Returning {
            upgraded: false,
            length: !head.status().is_informational() && head.status() != http::StatusCode::NO_CONTENT,
            version: head.version(),
        };
        for_client(head.fields(), head.connection(), returning, |_| false, &mut headers);
        *response.headers_mut() = headers;
    }
    let framing = connection.facts().framing;
    connection.consume_head();
    if writer.is_done() && matches!(framing, ResponseFraming::None | ResponseFraming::Length(0)) {
        pool::give_back(connection);
        return response.map(|()| ResponseBody::from(Full::default()));
    }
    let source = Source::Http1(Box::new(Http1Source::new(connection, writer, down)));
    let stream = UpstreamBody::new(source, upstream.read_timeout, TokenLease::new(gate, lease), bounds);
    response.map(|()| ResponseBody::from(stream))
}
