//! The proxy: authorizes requests, and then serves them from an endpoint, with a refusal, or from the upstream.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::watch;

use super::authorize::{Authorized, Disposition, Scratch, authorize};
use super::body::downstream::BodyDownstream;
use super::body::drain::drain;
use super::body::lease::TokenLease;
use super::body::request::{BodyLimits, Origin, RequestBody};
use super::body::response::{ResponseBody, with_record};
use super::forward::buffer::buffer;
use super::forward::error::ForwardError;
use super::forward::exchange::Exchange;
use super::forward::http1::{self, Http1, ReturnTo, bind_login};
use super::forward::http2;
use super::forward::outbound::{Head, Outbound};
use super::observe::{self, RequestRecord};
use super::refusal::{Refusal, into_grpc_if_called, local_response};
use super::request_context::RequestContext;
use super::route::ClientConnection;
use super::rules::Rules;
use crate::gate::Gate;
use crate::gate::question::{Answers, NO_ANSWERS};
use crate::headers::{MapHead, check_request};
use crate::http1::ResponseExpectation;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::Identity;
use crate::oauth::denial::Denial;
use crate::response;
use crate::route::host::LastHost;
use crate::telemetry::{Gauges, Reason};
use crate::upstream::downstream::BodyFault;
use crate::upstream::group::Upstream;
use crate::upstream::health::upkeep::Watched;
use crate::upstream::http1::logins::Logins;
use crate::upstream::http1::writer::RequestWriter;

thread_local! {
    /// The rules that this thread used last, and their version.
    static RULES: RefCell<Option<(u64, Arc<Rules>)>> = const { RefCell::new(None) };
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The proxy. All threads share one.
pub(crate) struct Proxy {
    pub(super) gate: Gate,
    pub(super) rules: ArcSwap<Rules>,
    /// The version of the current rules. It is unique among all proxies of the process.
    version: AtomicU64,
    watched: watch::Sender<Arc<Watched>>,
}

impl Proxy {
    /// Creates a proxy that forwards the requests that `gate` permits.
    #[must_use]
    pub(crate) fn new(gate: Gate, rules: Rules) -> Self {
        let (watched, _) = watch::channel(Arc::new(rules.watched()));
        Self { gate, rules: ArcSwap::from_pointee(rules), version: AtomicU64::new(next_version()), watched }
    }

    /// Replaces all rules at once. Requests in flight finish with the old ones.
    pub(crate) fn reload(&self, rules: Rules) {
        let watched = Arc::new(rules.watched());
        self.rules.store(Arc::new(rules));
        self.version.store(next_version(), Ordering::Release);
        self.watched.send_replace(watched);
    }

    /// Returns a receiver of the servers to probe and the names to resolve. It is updated when the rules change.
    #[must_use]
    pub(crate) fn watched(&self) -> watch::Receiver<Arc<Watched>> {
        self.watched.subscribe()
    }

    /// Calls `read` with the current rules, which must not call this function again. Writes nothing that is shared
    /// with other threads.
    pub(super) fn with_rules<R>(&self, read: impl FnOnce(&Rules) -> R) -> R {
        RULES.with_borrow_mut(|kept| {
            // The version is read before the rules, so that a concurrent reload at worst causes another load.
            let version = self.version.load(Ordering::Acquire);
            let rules = match kept {
                Some((known, rules)) if *known == version => rules,
                _ => &mut kept.insert((version, self.rules.load_full())).1,
            };
            read(rules)
        })
    }

    /// Returns the current rules. The rules that replace them take over their counters and limiters.
    #[must_use]
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Returns the gate that authorizes requests.
    #[must_use]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns the metrics that are read when they are requested, and not counted.
    pub(crate) fn gauges(&self) -> Gauges {
        let rules = self.rules.load();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Gauges {
            routes: rules.meters.routes(),
            own: observe::builtin_meters(),
            upstreams: rules.meters.upstreams(),
            shadow_routes: number(rules.shadow_routes),
            shadow_refusals: rules
                .learned
                .routes()
                .iter()
                .flat_map(|route| {
                    route.refusals().map(|(reason, count)| (route.name().to_owned(), reason, count))
                })
                .collect(),
            tokens_live: self.gate.tokens_live(),
            tokens_kept: number(self.gate.tokens_kept()),
            store_healthy: self.gate.is_store_healthy(),
            hashing_queue: number(self.gate.hashing_queue()),
        }
    }

    /// Serves an HTTP/2 request.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        client: ClientConnection<'_>,
    ) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let mut record = RequestRecord::default();
        // From here on, the request is counted and logged even if this future is dropped.
        let head = MapHead::new(&parts);
        record.begin(&head, &client, || self.with_rules(|rules| rules.trusts(client.peer)));
        let (mut identity, mut writer) = (Identity::default(), RequestWriter::default());
        let mut last_host = LastHost::default();
        let mut answers = None;
        let response = loop {
            let scratch =
                Scratch { identity: &mut identity, head: writer.begin(true), last_host: &mut last_host };
            let known = answers.as_deref().unwrap_or(&NO_ANSWERS);
            match self.authorize_http2(&head, &body, &client, &mut record, scratch, known) {
                Ok(Disposition::Upstream(authorized)) => {
                    break self
                        .forward_http2(authorized, &parts, body, (identity, writer), &mut record)
                        .await;
                }
                // Boxed, because it is rare and its state would make the future of every request larger.
                Ok(Disposition::Endpoint(endpoint)) => {
                    break Box::pin(self.serve_endpoint_http2(endpoint, parts, body, client, &mut record))
                        .await;
                }
                Ok(Disposition::Ask(question)) => {
                    answers = Some(Box::pin(self.gate.ask(question, answers)).await);
                }
                Err(refusal) => {
                    record.refused(&refusal);
                    drain(body);
                    break refusal.into_grpc_if_called(&parts).into_response().map(ResponseBody::from);
                }
            }
        };
        with_record(response, record)
    }

    fn authorize_http2(
        &self,
        head: &MapHead<'_>,
        body: &Incoming,
        client: &ClientConnection<'_>,
        record: &mut RequestRecord,
        mut scratch: Scratch<'_>,
        answers: &Answers,
    ) -> Result<Disposition, Refusal> {
        self.with_rules(|rules| {
            if head.len() > rules.max_headers {
                let detail = "the request has more headers than this server accepts";
                let response = response::problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail);
                return Err(Refusal::new(response, Reason::Ambiguous));
            }
            check_request(head).map_err(|error| Refusal::ambiguous(error.status(), error.public_text()))?;
            let (bodiless, body_size) = (body.is_end_stream(), body.size_hint());
            let context = RequestContext { request: head, bodiless, body_size, client, answers };
            authorize(&self.gate, rules, &context, record, &mut scratch)
        })
    }

    /// Forwards an authorized request, and applies the route's changes to the response.
    async fn forward_http2(
        &self,
        authorized: Authorized,
        parts: &Parts,
        body: Incoming,
        (identity, mut writer): (Identity, RequestWriter),
        record: &mut RequestRecord,
    ) -> Response<ResponseBody> {
        let Authorized { lease, head, mut limits, login, origin, request_path, .. } = authorized;
        let Some(route) = record.take_route() else {
            return Response::new(ResponseBody::from(Full::default()));
        };
        let upstream = &route.upstream;
        let forwarded = match wait_in_queue(&mut limits).await {
            Err(refusal) => Err((Reason::UpstreamBusy, refusal)),
            Ok(()) => {
                let body_limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
                let body = (!body.is_end_stream()).then_some(Origin::Http2(body));
                let trace = &mut record.upstream;
                trace.begin(upstream);
                let rules = route.request_rules.clone();
                let forwarded = match head {
                    Head::Http2(head) => {
                        let outbound = Outbound { body, body_limits, limits, rules };
                        // Boxed, because its state would make the future of every other request larger.
                        let forward = http2::forward(
                            &lease,
                            identity.client(),
                            &self.gate,
                            (&route, request_path.as_deref()),
                            (*head, outbound),
                            trace,
                        );
                        Box::pin(forward).await
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
                        let (body, outcome) = RequestBody::new(body, body_limits, rules.as_ref(), token);
                        trace.body.clone_from(&outcome);
                        let mut down = BodyDownstream::new(body, outcome, chunked);
                        let expected =
                            ResponseExpectation { head: parts.method == Method::HEAD, upgrade: false };
                        // The requests of an HTTP/2 connection run at the same time and cannot share a login.
                        let mut logins = Logins::default();
                        if matches!(head, Head::Buffered)
                            && let Err(error) = Box::pin(buffer(&mut writer, &mut down)).await
                        {
                            let (reason, response) = self.error_response(&error, upstream);
                            record.reason = Some(reason);
                            let response =
                                local_response(into_grpc_if_called(response, parts), &route, origin);
                            record.restore_route(route);
                            return response.map(ResponseBody::from);
                        }
                        let mut attempt =
                            Http1::new(&exchange, expected, &mut writer, &mut down, &mut logins);
                        match exchange.run(&mut attempt, &mut limits, trace).await {
                            Ok((mut connection, ())) => {
                                if route.carries_logins {
                                    bind_login(&mut connection, login);
                                }
                                let returning =
                                    ReturnTo { gate: &self.gate, lease: &lease, route: &route, request_path };
                                Ok(http1::respond(connection, writer, down, returning, limits))
                            }
                            Err(error) => Err(error),
                        }
                    }
                };
                forwarded.map_err(|error| self.error_response(&error, upstream))
            }
        };
        let response = match forwarded {
            Ok(mut response) => {
                record.upstream.end_attempt();
                if let Some(changes) = &route.response_headers {
                    changes.apply(response.headers_mut());
                }
                if let Some(cors) = &route.cors {
                    cors.apply(response.headers_mut(), origin);
                }
                response
            }
            Err((reason, response)) => {
                record.reason = Some(reason);
                local_response(into_grpc_if_called(response, parts), &route, origin).map(ResponseBody::from)
            }
        };
        record.restore_route(route);
        response
    }

    /// Returns the response to a request that failed upstream, and the reason to record.
    pub(super) fn error_response(
        &self,
        error: &ForwardError,
        upstream: &Upstream,
    ) -> (Reason, Response<Full<Bytes>>) {
        // The client causes a body that is too long or too slow.
        if !matches!(error, ForwardError::Body(_) | ForwardError::ClientGone) {
            upstream.report(error);
        }
        let response = match error {
            ForwardError::Body(BodyFault::TokenEnded) => self.gate.refuse(&Denial::InvalidToken),
            error => error.to_response(),
        };
        (observe::forward_error_reason(error), response)
    }
}

/// Waits in the queue of the upstream, if the request is queued.
pub(super) async fn wait_in_queue(
    limits: &mut Option<Box<ExchangeLimits>>,
) -> Result<(), Response<Full<Bytes>>> {
    if let Some(limits) = limits
        && let Some(ticket) = limits.ticket.take()
    {
        // Boxed, because it is rare and its state would make the future of every request larger.
        limits.upstream = Some(Box::pin(ticket.wait()).await?);
    }
    Ok(())
}
