//! The way of an HTTP/2 request: from the client's stream to the server and back.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use super::authorize::{Authorized, Disposition, ForResponse, Scratch, authorize};
use super::body::downstream::BodyDownstream;
use super::body::drain::drain;
use super::body::lease::TokenLease;
use super::body::request::{BodyLimits, Origin, RequestBody};
use super::body::response::ResponseBody;
use super::forward::buffer::buffer;
use super::forward::exchange::Exchange;
use super::forward::http1::{self, Http1, bind_login};
use super::forward::http2;
use super::forward::outbound::{Head, Outbound, ReturnTo};
use super::observe::RequestRecord;
use super::observer::RequestObserver as _;
use super::pipeline::{Proxy, wait_in_queue};
use super::refusal::{Refusal, into_grpc_if_called, local_response};
use super::request_context::RequestContext;
use super::route::{ClientConnection, Route};
use super::session::Session;
use super::stream::{Reply, Stream, StreamDownstream};
use crate::gate::question::{Answers, NO_ANSWERS};
use crate::gate::{Endpoint, FormBody};
use crate::headers::{MapHead, REQUEST_ID, check_request};
use crate::http1::ResponseExpectation;
use crate::plugin;
use crate::response;
use crate::telemetry::Reason;
use crate::upstream::http1::logins::Logins;
use crate::upstream::http2::received::ReceivedBody;

/// A request on its route. The record gets the route back however the request ends.
struct OnRoute<'a> {
    record: &'a mut RequestRecord,
    route: Option<Arc<Route>>,
}

impl Drop for OnRoute<'_> {
    fn drop(&mut self) {
        if let Some(route) = self.route.take() {
            self.record.restore_route(route);
        }
    }
}

impl Proxy {
    /// Answers a request of HTTP/2. When this returns, the response has been handed to the connection, or the
    /// client has reset the stream.
    pub(crate) async fn serve_http2(
        &self,
        stream: &mut Stream,
        client: &ClientConnection<'_>,
        session: &mut Session,
    ) {
        let Stream { parts, body, reply } = stream;
        let Some(body) = body.take() else { return };
        {
            // Pinned here: handing it over would move all of its state.
            let answered = pin!(self.answer_stream(parts, body, reply, client, session));
            let _ = reply.unless_reset(answered).await;
        }
        session.writer.finish();
        // Counts the request as abandoned if the client has reset the stream.
        session.record.finish();
    }

    async fn answer_stream(
        &self,
        parts: &Parts,
        body: ReceivedBody,
        reply: &Reply,
        client: &ClientConnection<'_>,
        session: &mut Session,
    ) {
        let head = MapHead::new(parts);
        session.record.begin(&head, client, || self.with_rules(|rules| rules.trusts(client.peer)));
        let mut answers = None;
        loop {
            let known = answers.as_deref().unwrap_or(&NO_ANSWERS);
            match self.authorize_http2(&head, &body, client, session, known) {
                Ok(Disposition::Upstream(authorized)) => {
                    break self.forward_http2(authorized, parts, body, reply, session).await;
                }
                // Boxed: it is rare, and its state would make the future of every other request larger.
                Ok(Disposition::Endpoint(endpoint)) => {
                    let record = &mut session.record;
                    break Box::pin(self.serve_endpoint_http2(endpoint, parts, body, reply, client, record))
                        .await;
                }
                Ok(Disposition::Ask(question)) => {
                    answers = Some(Box::pin(self.gate.ask(question, answers)).await);
                }
                Err(refusal) => {
                    session.record.refused(&refusal, client);
                    drain(body);
                    break respond(reply, refusal.into_grpc_if_called(parts).response, &mut session.record)
                        .await;
                }
            }
        }
    }

    fn authorize_http2(
        &self,
        head: &MapHead<'_>,
        body: &ReceivedBody,
        client: &ClientConnection<'_>,
        session: &mut Session,
        answers: &Answers,
    ) -> Result<Disposition, Box<Refusal>> {
        let Session { record, identity, last_host, writer, .. } = session;
        self.with_rules(|rules| {
            if head.len() > rules.max_headers {
                let detail = "the request has more headers than this server accepts";
                let response = response::problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail);
                return Err(Refusal::new(response, Reason::Ambiguous).into());
            }
            check_request(head).map_err(|error| Refusal::ambiguous(error.status(), error.public_text()))?;
            let (bodiless, body_size) = (body.is_end_stream(), body.size_hint());
            let context = RequestContext { request: head, bodiless, body_size, client, answers };
            let mut scratch = Scratch { identity, head: writer.begin(!bodiless), last_host };
            authorize(&self.gate, rules, &context, record, &mut scratch)
        })
    }

    /// Forwards an authorized request, and sends the response.
    async fn forward_http2(
        &self,
        authorized: Authorized,
        parts: &Parts,
        body: ReceivedBody,
        reply: &Reply,
        session: &mut Session,
    ) {
        let Session { record, identity, writer, alarm, .. } = session;
        let Authorized { lease, head, mut limits, login, for_response, .. } = authorized;
        let ForResponse { origin, request_path } = for_response.map(|boxed| *boxed).unwrap_or_default();
        let route = record.take_route();
        let mut on_route = OnRoute { record, route };
        let OnRoute { record, route: Some(route) } = &mut on_route else { return };
        let upstream = &route.upstream;
        if let Err(refusal) = wait_in_queue(&mut limits).await {
            record.reason = Some(Reason::UpstreamBusy);
            return respond(
                reply,
                local_response(into_grpc_if_called(refusal, parts), route, origin),
                record,
            )
            .await;
        }
        let body_limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
        let body = (!body.is_end_stream()).then_some(Origin::Http2(body));
        record.upstream.begin(upstream);
        let to = ReturnTo { gate: &self.gate, lease: &lease, route, request_path: request_path.as_deref() };
        let forwarded = match head {
            Head::Http2(head) => {
                let outbound = Outbound { body, body_limits, limits, rules: route.request_rules.clone() };
                let interim = |response| reply.interim(response);
                // Boxed, because its state would make the future of every other request larger.
                Box::pin(http2::forward(
                    to,
                    identity.client(),
                    (*head, outbound),
                    &interim,
                    &mut record.upstream,
                ))
                .await
            }
            head @ (Head::Http1 { .. } | Head::Buffered) => {
                let chunked = matches!(head, Head::Http1 { chunked: true });
                let has_body = body.is_some();
                writer.expect_body(has_body);
                let exchange = Exchange {
                    upstream,
                    replayable: parts.method.is_idempotent() && !has_body,
                    client: identity.client(),
                    pinned: None,
                };
                let token = || TokenLease::new(&self.gate, &lease);
                let (body, outcome) =
                    RequestBody::new(body, body_limits, route.request_rules.as_ref(), token);
                record.upstream.body.clone_from(&outcome);
                let down = BodyDownstream::new(body, outcome, chunked, std::mem::take(alarm));
                let mut down = StreamDownstream::new(down, reply);
                let buffered = match head {
                    Head::Buffered => Box::pin(buffer(writer, &mut down)).await,
                    _ => Ok(()),
                };
                let expected = ResponseExpectation { head: parts.method == Method::HEAD, upgrade: false };
                // The requests of an HTTP/2 connection run at the same time and cannot share a login.
                let mut logins = Logins::default();
                let mut attempt = Http1::new(&exchange, expected, writer, &mut down, &mut logins);
                let sent = match buffered {
                    Ok(()) => exchange.run(&mut attempt, &mut limits, &mut record.upstream).await,
                    Err(error) => Err(error),
                };
                sent.map(|(mut connection, ())| {
                    if route.carries_logins {
                        bind_login(&mut connection, login);
                    }
                    http1::respond(connection, writer, down.into_body(), to, limits, alarm)
                })
            }
        };
        match forwarded {
            Ok(mut response) => {
                record.upstream.end_attempt();
                if let Some(changes) = &route.response_headers {
                    changes.apply(response.headers_mut());
                }
                if let Some(cors) = &route.cors {
                    cors.apply(response.headers_mut(), origin);
                }
                send(reply, response, record).await;
            }
            Err(error) => {
                let (reason, response) = self.error_response(&error, upstream);
                record.reason = Some(reason);
                respond(reply, local_response(into_grpc_if_called(response, parts), route, origin), record)
                    .await;
            }
        }
    }

    /// Serves a request to one of the gate's endpoints.
    async fn serve_endpoint_http2(
        &self,
        endpoint: Endpoint,
        parts: &Parts,
        mut body: ReceivedBody,
        reply: &Reply,
        client: &ClientConnection<'_>,
        record: &mut RequestRecord,
    ) {
        record.set_endpoint(endpoint);
        let form = if endpoint.reads_body() {
            // The whole body has the time that other bodies have between two reads.
            let within = self.rules.load().body_timeout;
            match tokio::time::timeout(within, plugin::read_form(&mut body)).await {
                Ok(body) => body,
                Err(_) => FormBody::TooSlow,
            }
        } else {
            FormBody::Whole(Bytes::new())
        };
        drain(body);
        let response = self.serve_endpoint(endpoint, parts, form, client, record).await;
        respond(reply, response, record).await;
    }
}

/// Sends a local response.
async fn respond(reply: &Reply, response: Response<Full<Bytes>>, record: &mut RequestRecord) {
    send(reply, response.map(ResponseBody::from), record).await;
}

/// Sends a response, and records it.
async fn send(reply: &Reply, mut response: Response<ResponseBody<'_>>, record: &mut RequestRecord) {
    record.begin_response(response.status());
    if let Some(mut id) = record.request_id().and_then(|id| HeaderValue::from_bytes(id).ok()) {
        // HPACK does not index sensitive values (RFC 7541 §7.1.3). Request ids never repeat, so indexing them
        // would only evict other values.
        id.set_sensitive(true);
        response.headers_mut().insert(REQUEST_ID.name, id);
    }
    reply.send(response, |polled| record.record_frame(polled)).await;
}
