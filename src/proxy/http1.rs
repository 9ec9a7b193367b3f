//! Serves HTTP/1 requests: from the client's bytes to the server's and back, without a header map in between.

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::SizeHint;
use http_body_util::Full;
use std::future::poll_fn;
use std::task::Poll;

use super::authorize::{Authorized, Disposition, ForResponse, Scratch, authorize};
use super::body::request::BodyLimits;
use super::client::{Changes, Client, Relayed, ResponseTimeouts, Socket, Upload, relay};
use super::forward::buffer::buffer;
use super::forward::error::ForwardError;
use super::forward::exchange::Exchange;
use super::forward::http1::{Http1, bind_login};
use super::forward::outbound::{Head, Outbound};
use super::observe::RequestRecord;
use super::observer::RequestObserver as _;
use super::pipeline::{Proxy, wait_in_queue};
use super::refusal::{Refusal, local_response};
use super::request_context::RequestContext;
use super::route::{ClientConnection, Route};
use super::session::Session;
use super::tunnel;
use crate::gate::Endpoint;
use crate::gate::question::{Answers, NO_ANSWERS, Question};
use crate::headers::{Class, ClassSet, Field, HeaderSink as _, RequestView};
use crate::http1::{RequestFraming, ResponseExpectation};
use crate::limit::exchange::ExchangeLimits;
use crate::response;
use crate::telemetry::Reason;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::fault::Fault;
use crate::upstream::http1::logins::Logins;
use crate::upstream::http1::pool;
use crate::upstream::http1::writer::RequestWriter;

/// Where a request goes, and what its head is needed for there.
enum Decided {
    Upstream(Authorized),
    /// Boxed to keep the more frequent variant small.
    Endpoint(Endpoint, Box<Parts>),
    /// The store must be queried first.
    Ask(Question),
}

impl Proxy {
    /// Serves the client's current request. When this returns, the response has been written, unless the
    /// client disconnected.
    pub(crate) async fn serve_http1<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ClientConnection<'_>,
        session: &mut Session,
    ) {
        let mut answers = None;
        loop {
            match self.decide(client, connection, session, answers.as_deref()) {
                Ok(Decided::Upstream(authorized)) => break self.forward(client, authorized, session).await,
                Ok(Decided::Endpoint(endpoint, parts)) => {
                    // Boxed, because it is rare and its state would make the future of every request larger.
                    let record = &mut session.record;
                    break Box::pin(self.serve_endpoint_http1(client, connection, endpoint, &parts, record))
                        .await;
                }
                Ok(Decided::Ask(question)) => {
                    answers = Some(Box::pin(self.gate.ask(question, answers)).await);
                }
                Err(refusal) => {
                    session.record.refused(&refusal, connection);
                    break respond(client, refusal.response, refusal.close, &mut session.record).await;
                }
            }
        }
        session.writer.finish();
        session.record.finish();
    }

    /// Authorizes a request while its head is in the buffer. `answers` has the store's answers, if the store
    /// was queried.
    fn decide<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ClientConnection<'_>,
        session: &mut Session,
        answers: Option<&Answers>,
    ) -> Result<Decided, Box<Refusal>> {
        let Session { record, identity, last_host, writer, .. } = session;
        let Some(head) = client.head() else {
            let response = response::problem(StatusCode::BAD_REQUEST, "the request is not well-formed");
            return Err(Refusal { close: true, ..Refusal::new(response, Reason::Ambiguous) }.into());
        };
        let mut facts = None;
        let decided: Result<Decided, Box<Refusal>> = self.with_rules(|rules| {
            if answers.is_none() {
                record.begin(&head, connection, || rules.trusts(connection.peer));
            }
            let known =
                head.facts().map_err(|fault| Refusal::ambiguous(fault.status(), fault.public_text()))?;
            facts = Some(known);
            let (bodiless, body_size) = match known.framing {
                RequestFraming::None | RequestFraming::Length(0) => (true, SizeHint::with_exact(0)),
                RequestFraming::Length(length) => (false, SizeHint::with_exact(length)),
                RequestFraming::Chunked => (false, SizeHint::default()),
            };
            let answers = answers.unwrap_or(&NO_ANSWERS);
            let context = RequestContext { request: &head, bodiless, body_size, client: connection, answers };
            let mut scratch = Scratch { identity, head: writer.begin(!bodiless), last_host };
            match authorize(&self.gate, rules, &context, record, &mut scratch)? {
                Disposition::Upstream(authorized) => Ok(Decided::Upstream(authorized)),
                Disposition::Ask(question) => Ok(Decided::Ask(question)),
                Disposition::Endpoint(endpoint) => match parts_of(&head) {
                    Some(parts) => Ok(Decided::Endpoint(endpoint, Box::new(parts))),
                    None => Err(Refusal::ambiguous(
                        StatusCode::BAD_REQUEST,
                        "the request target is not well-formed",
                    )
                    .into()),
                },
            }
        });
        if !matches!(decided, Ok(Decided::Ask(_))) {
            client.begin(facts);
        }
        decided
    }

    /// Forwards an authorized request and relays the response.
    async fn forward<I: Socket>(
        &self,
        client: &mut Client<I>,
        authorized: Authorized,
        session: &mut Session,
    ) {
        let Session { record, identity, writer, .. } = session;
        let Some(route) = record.take_route() else { return client.close() };
        let Authorized { lease, head, mut limits, upgrade, login, for_response } = authorized;
        let ForResponse { origin, request_path } = for_response.map(|boxed| *boxed).unwrap_or_default();
        if limits.as_ref().is_some_and(|limits| limits.ticket.is_some()) {
            // Boxed, because it is rare and its state would make the future of every request larger.
            let waited = Box::pin(wait_unless_gone(client, &mut limits)).await;
            if let Err(refusal) = waited {
                match refusal {
                    None => client.close(),
                    Some(refusal) => {
                        record.reason = Some(Reason::UpstreamBusy);
                        respond(client, local_response(refusal, &route, origin), false, record).await;
                    }
                }
                return record.restore_route(route);
            }
        }
        let upstream = &route.upstream;
        record.upstream.begin(upstream);
        let body_limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
        let rules = route.request_rules.as_deref();
        let chunked = match head {
            Head::Http1 { chunked } => chunked,
            Head::Buffered => {
                let mut upload = Upload::new(client, &self.gate, &lease, body_limits, false, rules);
                // Boxed, because it is rare and its state would make the future of every request larger.
                if let Err(error) = Box::pin(buffer(writer, &mut upload)).await {
                    self.respond_with_error(client, &error, &route, origin, record).await;
                    record.bytes_in += client.body_bytes();
                    return record.restore_route(route);
                }
                false
            }
            Head::Http2(head) => {
                let outbound =
                    Outbound { body: None, body_limits, limits, rules: route.request_rules.clone() };
                // Boxed, because its state would make the future of every other request larger.
                let request_path = request_path.as_deref();
                let passed = self.forward_over_http2(
                    client,
                    (*head, outbound),
                    &lease,
                    identity,
                    (&route, request_path),
                    record,
                );
                if let Err(error) = Box::pin(passed).await {
                    self.respond_with_error(client, &error, &route, origin, record).await;
                }
                return record.restore_route(route);
            }
        };
        let carries_logins = route.carries_logins;
        let mut logins = if carries_logins { std::mem::take(client.logins()) } else { Logins::default() };
        let exchange = Exchange {
            upstream,
            replayable: client.is_idempotent() && !client.has_body() && !upgrade,
            client: identity.client(),
            pinned: logins.server_among(upstream.servers()),
        };
        let expected = ResponseExpectation { head: client.is_head(), upgrade };
        let mut upload = Upload::new(client, &self.gate, &lease, body_limits, chunked, rules);
        let mut attempt = Http1::new(&exchange, expected, writer, &mut upload, &mut logins);
        let forwarded = exchange.run(&mut attempt, &mut limits, &mut record.upstream).await;
        if carries_logins {
            *upload.client.logins() = logins;
        }
        match forwarded {
            Ok((mut connection, ())) => {
                if carries_logins {
                    bind_login(&mut connection, login);
                }
                record.upstream.end_attempt();
                let deadline = limits.as_ref().and_then(|limits| limits.deadline);
                let timeouts = ResponseTimeouts { read_timeout: upstream.read_timeout, deadline };
                let changes = Changes {
                    route: &route,
                    origin: origin.as_ref(),
                    request_id: None,
                    request_path: request_path.as_deref(),
                };
                let broken =
                    self.relay_response(connection, writer, &mut upload, changes, timeouts, record).await;
                drop(limits);
                if let Some(fault) = broken {
                    let error = ForwardError::from(fault);
                    self.respond_with_error(client, &error, &route, origin, record).await;
                }
            }
            Err(error) => {
                drop(limits);
                self.respond_with_error(client, &error, &route, origin, record).await;
            }
        }
        record.bytes_in += client.body_bytes();
        record.restore_route(route);
    }

    /// Relays a response to the client. Returns the fault if the response failed before any of it was sent,
    /// so that another response can replace it.
    async fn relay_response<I: Socket>(
        &self,
        mut connection: Box<Connection>,
        writer: &mut RequestWriter,
        upload: &mut Upload<'_, I>,
        changes: Changes<'_>,
        timeouts: ResponseTimeouts,
        record: &mut RequestRecord,
    ) -> Option<Fault> {
        let id = record.take_id();
        let changes = Changes { request_id: (!id.is_empty()).then_some(&*id), ..changes };
        let upgraded = connection.head().is_some_and(|head| head.status() == StatusCode::SWITCHING_PROTOCOLS);
        if upgraded {
            // Boxed, because it is rare and its state would make the future of every request larger.
            Box::pin(self.tunnel(connection, upload, &changes, writer.head(), record)).await;
            record.restore_id(id);
            return None;
        }
        let relayed = relay(&mut connection, writer, upload, &changes, timeouts, record).await;
        record.restore_id(id);
        match relayed {
            Relayed::Complete => {
                record.end_response();
                // A server that has not read the whole request would read the next one as its remainder.
                if writer.is_done() {
                    if connection.is_bound() {
                        upload.client.logins().keep(connection);
                    } else {
                        pool::give_back(connection);
                    }
                }
            }
            Relayed::ClientGone => upload.client.close(),
            Relayed::Unsent(fault) => return Some(fault),
            Relayed::Truncated(fault) => {
                upload.client.close();
                record.fail_response(fault);
            }
        }
        None
    }

    /// Connects the client and the server after a 101 response.
    async fn tunnel<I: Socket>(
        &self,
        connection: Box<Connection>,
        upload: &mut Upload<'_, I>,
        changes: &Changes<'_>,
        sent: &[u8],
        record: &mut RequestRecord,
    ) {
        let client = &mut *upload.client;
        if let Some(head) = connection.head() {
            record.begin_response(head.status());
            client.write_upgrade(head, connection.facts(), changes, sent);
        }
        client.close();
        let from_client = client.take_input();
        let (mut server, from_server) = connection.into_parts();
        if client.flush().await.is_err() {
            return;
        }
        let carried =
            tunnel::run(client.io(), &from_client, &mut server, &from_server, upload.gate, upload.lease)
                .await;
        record.end_tunnel(carried.bytes, carried.token_ended);
    }

    /// Responds to a request that failed upstream.
    async fn respond_with_error<I: Socket>(
        &self,
        client: &mut Client<I>,
        error: &ForwardError,
        route: &Route,
        origin: Option<http::HeaderValue>,
        record: &mut RequestRecord,
    ) {
        let (reason, response) = self.error_response(error, &route.upstream);
        record.reason = Some(reason);
        if matches!(error, ForwardError::ClientGone) {
            return client.close();
        }
        respond(client, local_response(response, route, origin), false, record).await;
    }
}

/// Waits in the queue of the upstream. The error is `None` if the client disconnected while waiting.
async fn wait_unless_gone<I: Socket>(
    client: &mut Client<I>,
    limits: &mut Option<Box<ExchangeLimits>>,
) -> Result<(), Option<Response<Full<Bytes>>>> {
    let mut wait = std::pin::pin!(wait_in_queue(limits));
    poll_fn(|cx| match wait.as_mut().poll(cx) {
        Poll::Ready(waited) => Poll::Ready(waited.map_err(Some)),
        Poll::Pending => client.poll_hangup(cx).map(|()| Err(None)),
    })
    .await
}

/// Writes a local response.
pub(super) async fn respond<I: Socket>(
    client: &mut Client<I>,
    response: Response<Full<Bytes>>,
    close: bool,
    record: &mut RequestRecord,
) {
    record.begin_response(response.status());
    let bytes = client.respond(response, record.request_id(), close);
    if client.flush().await.is_ok() {
        record.end_local_response(bytes);
    } else {
        client.close();
    }
}

/// Converts a head to the form that the endpoints take. Returns `None` if the target is not a valid URI.
fn parts_of(request: &impl RequestView) -> Option<Parts> {
    let target = match request.query() {
        None => PathAndQuery::try_from(request.path()).ok()?,
        Some(query) => PathAndQuery::try_from([request.path().as_bytes(), b"?", query].concat()).ok()?,
    };
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.version = request.version();
    parts.uri = Uri::from(target);
    /// The classes that no endpoint looks at. The headers that describe the body have none.
    const UNREAD: ClassSet = ClassSet::of(&[
        Class::Other,
        Class::Connection,
        Class::ContentLength,
        Class::Cookie,
        Class::Date,
        Class::Expect,
        Class::Hop,
        Class::Host,
        Class::KeepAlive,
        Class::RequestId,
        Class::Te,
        Class::Trailer,
        Class::TransferEncoding,
        Class::Upgrade,
        Class::Via,
    ]);
    let mut headers = HeaderMap::new();
    let is_read = |field: &Field<'_>| {
        !UNREAD.has(field.class)
            || field.name.eq_ignore_ascii_case(b"if-none-match")
            || field.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
                && field.class == Class::Other
    };
    for field in request.fields().filter(is_read) {
        headers.keep(&field);
    }
    parts.headers = headers;
    Some(parts)
}
