//! Requests to servers that speak HTTP/1.1.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;

use super::error::ForwardError;
use super::exchange::{Exchange, Overdue, Protocol, ResponseTimer};
use super::outbound::ReturnTo;
use super::retry::{Failure, FailureKind};
use crate::headers::{Field, PublicOrigin, Returning, announces_connection_login, for_client};
use crate::http1::{ResponseExpectation, ResponseFraming};
use crate::limit::exchange::ExchangeLimits;
use crate::proxy::body::downstream::BodyDownstream;
use crate::proxy::body::lease::ResponseLease;
use crate::proxy::body::response::ResponseBody;
use crate::proxy::body::source::{Http1Source, Source};
use crate::proxy::body::upstream_body::UpstreamBody;
use crate::upstream::alarm::Alarm;
use crate::upstream::downstream::Downstream;
use crate::upstream::group::Upstream;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::fault::Fault;
use crate::upstream::http1::logins::Logins;
use crate::upstream::http1::pool::{self, ConnectError};
use crate::upstream::http1::writer::RequestWriter;
use crate::upstream::server::Server;

/// An attempt over HTTP/1.1. The head of the response is in the connection.
pub(crate) struct Http1<'a, D> {
    upstream: &'a Upstream,
    expected: ResponseExpectation,
    replayable: bool,
    writer: &'a mut RequestWriter,
    down: &'a mut D,
    logins: &'a mut Logins,
    /// Whether only new connections are used. This is set once a reused connection was dead, so that a
    /// request does not try many dead connections.
    new_only: bool,
}

/// Why no response head was received.
enum HeadError {
    Fault(Fault),
    Overdue(Overdue),
    ClientGone,
}

impl<'a, D: Downstream> Http1<'a, D> {
    /// Creates an attempt to send the head in `writer` and the body from `down`. `logins` has the connections
    /// that are reserved for this client. It is empty on a route that carries no logins.
    pub(crate) fn new(
        exchange: &Exchange<'a>,
        expected: ResponseExpectation,
        writer: &'a mut RequestWriter,
        down: &'a mut D,
        logins: &'a mut Logins,
    ) -> Self {
        let Exchange { upstream, replayable, .. } = *exchange;
        Self { upstream, expected, replayable, writer, down, logins, new_only: false }
    }

    #[cold]
    fn classify(&mut self, failed: HeadError, reused: bool) -> Failure {
        let fault = match failed {
            HeadError::ClientGone => return Failure::fatal(ForwardError::ClientGone, false),
            HeadError::Overdue(Overdue::Late) => return Failure::fatal(ForwardError::TooSlow, true),
            HeadError::Overdue(Overdue::Expired) => {
                // While a body is being sent, the client may cause the delay.
                let counts = self.replayable || self.writer.is_done();
                return Failure::fatal(ForwardError::TooSlow, counts);
            }
            HeadError::Fault(Fault::Body(fault)) => {
                return Failure::fatal(ForwardError::Body(fault), false);
            }
            HeadError::Fault(fault) => fault,
        };
        let kind = if !fault.is_of_connection() {
            FailureKind::Fatal
        } else if self.writer.is_unsent() {
            FailureKind::Unsent
        } else {
            FailureKind::Broken
        };
        self.writer.rewind();
        self.new_only |= reused;
        Failure {
            kind,
            error: ForwardError::from(fault),
            on_reused_connection: reused,
            counts_against_server: !reused,
            avoid_server: !reused,
        }
    }
}

impl<D: Downstream + Send> Protocol for Http1<'_, D> {
    type Connection = Box<Connection>;
    type Response = ();

    fn take_idle(&mut self, server: &Arc<Server>, now: Instant) -> Option<Box<Connection>> {
        if self.upstream.host_per_server {
            self.writer.set_host(&server.authority());
        }
        if self.new_only {
            return None;
        }
        self.logins.take(server, now).or_else(|| pool::idle(server, now))
    }

    async fn open(
        &mut self,
        server: &Arc<Server>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Box<Connection>, Failure> {
        let max = self.upstream.connect_timeout;
        let within = deadline.map_or(max, |deadline| deadline.saturating_duration_since(now).min(max));
        pool::open(Arc::clone(server), within).await.map_err(|error| {
            let counts = error.is_the_server_s();
            let error = match error {
                ConnectError::TooSlow => ForwardError::TooSlow,
                ConnectError::Io(error) => ForwardError::Unreachable(error.to_string()),
            };
            Failure::not_connected(error, counts)
        })
    }

    async fn send(
        &mut self,
        connection: &mut Box<Connection>,
        reused: bool,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        let mut timer = ResponseTimer::new(connection.used, self.upstream.read_timeout, deadline);
        let head = poll_fn(|cx| {
            if let Poll::Ready(head) = connection.poll_head(self.writer, self.down, self.expected, cx) {
                return Poll::Ready(head.map_err(HeadError::Fault));
            }
            if self.down.poll_client(cx).is_ready() {
                return Poll::Ready(Err(HeadError::ClientGone));
            }
            loop {
                let now = ready!(self.down.alarm().poll(timer.next(), cx));
                let (progress, waits) = (self.down.body_bytes(), self.writer.waits_for_client());
                if let Some(overdue) = timer.check(now, progress, waits) {
                    return Poll::Ready(Err(HeadError::Overdue(overdue)));
                }
            }
        });
        head.await.map_err(|failed| self.classify(failed, reused))
    }

    fn status(connection: &Box<Connection>, (): &()) -> Option<StatusCode> {
        connection.head().map(|head| head.status())
    }
}

/// Binds a connection to its client, if this request or the response authenticates the connection.
pub(crate) fn bind_login(connection: &mut Connection, requested: bool) {
    if requested || connection.head().is_some_and(|head| announces_connection_login(head.fields())) {
        connection.bind_to_client();
    }
}

/// Builds the response to an HTTP/2 client. `alarm` gets the timer back, unless the rest of the response needs it.
pub(crate) fn respond<'a>(
    mut connection: Box<Connection>,
    writer: &mut RequestWriter,
    down: BodyDownstream,
    to: ReturnTo<'a>,
    limits: Option<Box<ExchangeLimits>>,
    alarm: &mut Alarm,
) -> Response<ResponseBody<'a>> {
    let ReturnTo { gate, lease, route, request_path } = to;
    let mut response = Response::new(());
    if let Some(head) = connection.head() {
        *response.status_mut() = head.status();
        // Room for the headers of the gateway itself.
        let mut headers = HeaderMap::with_capacity(head.len() + 3);
        let returning = Returning {
            upgraded: false,
            length: !head.status().is_informational() && head.status() != StatusCode::NO_CONTENT,
            version: head.version(),
        };
        let public = || PublicOrigin::of_head(writer.head());
        let map = |field: &Field<'_>| route.map_url(field, request_path, public);
        for_client(head.fields(), head.connection(), returning, |_| false, map, &mut headers);
        *response.headers_mut() = headers;
    }
    let framing = connection.facts().framing;
    connection.consume_head();
    if writer.is_done()
        && let Some(body) = whole_body(&mut connection, framing)
    {
        pool::give_back(connection);
        *alarm = down.into_alarm();
        return response.map(|()| ResponseBody::from(Full::new(body)));
    }
    let source = Source::Http1(Box::new(Http1Source::new(connection, std::mem::take(writer), down)));
    let lease = ResponseLease::new(gate, lease);
    let stream = UpstreamBody::new(source, route.upstream.read_timeout, lease, limits);
    response.map(|()| ResponseBody::from(stream))
}

/// Returns the body of a response if all of it has been received with the head.
fn whole_body(connection: &mut Connection, framing: ResponseFraming) -> Option<Bytes> {
    match framing {
        ResponseFraming::None | ResponseFraming::Length(0) => Some(Bytes::new()),
        ResponseFraming::Length(length) => {
            let body = Bytes::copy_from_slice(connection.received_whole(length)?);
            connection.use_data(body.len());
            Some(body)
        }
        ResponseFraming::Chunked | ResponseFraming::Close => None,
    }
}
