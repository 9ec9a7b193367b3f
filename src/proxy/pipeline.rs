//! The way of a request, top to bottom: authorized, then answered by an endpoint, by a refusal, or from upstream.

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

use super::authorize::{Authorized, Disposition, RequestContext, Scratch, authorize};
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
use super::refusal::{Refusal, own_answer, understood_by};
use super::route::ClientConnection;
use super::rules::Rules;
use crate::gate::question::{Answers, NO_ANSWERS};
use crate::gate::{Endpoint, FormBody, Gate};
use crate::headers::{MapHead, check_request};
use crate::http1::Asked;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::Identity;
use crate::oauth::denial::Denial;
use crate::plugin;
use crate::response;
use crate::route::host::LastHost;
use crate::telemetry::{Gauges, Reason};
use crate::upstream::downstream::BodyFault;
use crate::upstream::group::Upstream;
use crate::upstream::health::upkeep::Watched;
use crate::upstream::http1::logins::Logins;
use crate::upstream::http1::writer::RequestWriter;

thread_local! {
    /// The rules that this thread saw last, and their number.
    static RULES: RefCell<Option<(u64, Arc<Rules>)>> = const { RefCell::new(None) };
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The proxy: one for all threads.
pub(crate) struct Proxy {
    pub(super) gate: Gate,
    pub(super) rules: ArcSwap<Rules>,
    /// Counts the rules there have been, in all proxies of the process: no two have the same number.
    version: AtomicU64,
    watched: watch::Sender<Arc<Watched>>,
}

impl Proxy {
    /// A proxy that lets through what `gate` permits.
    #[must_use]
    pub(crate) fn new(gate: Gate, rules: Rules) -> Self {
        let (watched, _) = watch::channel(Arc::new(rules.watched()));
        Self { gate, rules: ArcSwap::from_pointee(rules), version: AtomicU64::new(next_version()), watched }
    }

    /// Swaps all rules at once. Requests under way finish on the old ones.
    pub(crate) fn reload(&self, rules: Rules) {
        let watched = Arc::new(rules.watched());
        self.rules.store(Arc::new(rules));
        self.version.store(next_version(), Ordering::Release);
        self.watched.send_replace(watched);
    }

    /// Returns the servers and names of the current rules, and of all later ones.
    #[must_use]
    pub(crate) fn watched(&self) -> watch::Receiver<Arc<Watched>> {
        self.watched.subscribe()
    }

    /// Shows the rules in force to `look`, which must not come back here. Costs no write that other threads could see.
    pub(super) fn with_rules<R>(&self, look: impl FnOnce(&Rules) -> R) -> R {
        RULES.with_borrow_mut(|kept| {
            // The number is read before the rules: with older rules under it than there are, the next look gets new ones.
            let version = self.version.load(Ordering::Acquire);
            let rules = match kept {
                Some((known, rules)) if *known == version => rules,
                _ => &mut kept.insert((version, self.rules.load_full())).1,
            };
            look(rules)
        })
    }

    /// The rules in force: those that follow them count on with what they have counted.
    #[must_use]
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// The gate in front of the routes.
    #[must_use]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What there is to tell besides what is counted.
    pub(crate) fn gauges(&self) -> Gauges {
        let rules = self.rules.load();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Gauges {
            routes: rules.meters.routes(),
            own: observe::own(),
            upstreams: rules.meters.upstreams(),
            tokens_live: self.gate.tokens_live(),
            tokens_kept: number(self.gate.tokens_kept()),
            store_healthy: self.gate.is_store_healthy(),
            hashing_queue: number(self.gate.hashing_queue()),
        }
    }

    /// Answers a request of HTTP/2.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        client: ClientConnection<'_>,
    ) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let mut record = RequestRecord::default();
        // From here on the request is followed to its end, also if this future is dropped.
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
                    break self.pass_http2(authorized, &parts, body, (identity, writer), &mut record).await;
                }
                // Boxed: seldom, and its state would make every other request's future larger.
                Ok(Disposition::Endpoint(endpoint)) => {
                    break Box::pin(self.answer_http2(endpoint, parts, body, client, &mut record)).await;
                }
                Ok(Disposition::Ask(question)) => {
                    answers = Some(Box::pin(self.gate.ask(question, answers)).await);
                }
                Err(refusal) => {
                    record.refused(&refusal);
                    drain(body);
                    break refusal.understood_by(&parts).into_response().map(ResponseBody::from);
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

    /// Sends on what was let through, and says what of the response is the route's.
    async fn pass_http2(
        &self,
        authorized: Authorized,
        parts: &Parts,
        body: Incoming,
        (identity, mut writer): (Identity, RequestWriter),
        record: &mut RequestRecord,
    ) -> Response<ResponseBody> {
        let Authorized { lease, head, mut bounds, login, origin, asked, .. } = authorized;
        let Some(route) = record.take_route() else {
            return Response::new(ResponseBody::from(Full::default()));
        };
        let upstream = &route.upstream;
        let forwarded = match wait_for_place(&mut bounds).await {
            Err(refusal) => Err((Reason::UpstreamBusy, refusal)),
            Ok(()) => {
                let limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
                let body = (!body.is_end_stream()).then_some(Origin::Http2(body));
                let trip = &mut record.trip;
                trip.departs(upstream);
                let rules = route.request_rules.clone();
                let forwarded = match head {
                    Head::Http2(head) => {
                        let outbound = Outbound { body, limits, bounds, rules };
                        // Boxed, because its state would make the future of every other request larger.
                        let forward = http2::forward(
                            &lease,
                            identity.client(),
                            &self.gate,
                            (&route, asked.as_deref()),
                            (*head, outbound),
                            trip,
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
                        let (body, outcome) = RequestBody::new(body, limits, rules.as_ref(), token);
                        trip.body.clone_from(&outcome);
                        let mut down = BodyDownstream::new(body, outcome, chunked);
                        let expected = Asked { head: parts.method == Method::HEAD, upgrade: false };
                        // The requests of an HTTP/2 connection run at the same time and cannot share a login.
                        let mut logins = Logins::default();
                        if matches!(head, Head::Buffered)
                            && let Err(error) = Box::pin(buffer(&mut writer, &mut down)).await
                        {
                            let (reason, response) = self.failed(&error, upstream);
                            record.reason = Some(reason);
                            let response = own_answer(understood_by(response, parts), &route, origin);
                            record.put_route(route);
                            return response.map(ResponseBody::from);
                        }
                        let mut attempt =
                            Http1::new(&exchange, expected, &mut writer, &mut down, &mut logins);
                        match exchange.run(&mut attempt, &mut bounds, trip).await {
                            Ok((mut connection, ())) => {
                                if route.carries_logins() {
                                    bind_login(&mut connection, login);
                                }
                                let returning =
                                    ReturnTo { gate: &self.gate, lease: &lease, route: &route, asked };
                                Ok(http1::respond(connection, writer, down, returning, bounds))
                            }
                            Err(error) => Err(error),
                        }
                    }
                };
                forwarded.map_err(|error| self.failed(&error, upstream))
            }
        };
        let response = match forwarded {
            Ok(mut response) => {
                record.trip.returns();
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
                own_answer(understood_by(response, parts), &route, origin).map(ResponseBody::from)
            }
        };
        record.put_route(route);
        response
    }

    /// What is said to the client of a request that has no response from upstream, and why.
    pub(super) fn failed(
        &self,
        error: &ForwardError,
        upstream: &Upstream,
    ) -> (Reason, Response<Full<Bytes>>) {
        // A body that is too long or too slow is the client's doing.
        if !matches!(error, ForwardError::Body(_) | ForwardError::ClientGone) {
            upstream.report(error);
        }
        let response = match error {
            ForwardError::Body(BodyFault::TokenEnded) => self.gate.refuse(&Denial::InvalidToken),
            error => error.to_response(),
        };
        (observe::of_forward_error(error), response)
    }

    /// Answers a request of HTTP/2 to one of the gate's own endpoints.
    async fn answer_http2(
        &self,
        endpoint: Endpoint,
        parts: Parts,
        mut body: Incoming,
        client: ClientConnection<'_>,
        record: &mut RequestRecord,
    ) -> Response<ResponseBody> {
        record.reaches(endpoint);
        let form = if endpoint.reads_body() {
            // The whole of it within the time that other bodies have between two reads.
            let within = self.rules.load().body_timeout;
            match tokio::time::timeout(within, plugin::read_form(&mut body)).await {
                Ok(body) => body,
                Err(_) => FormBody::TooSlow,
            }
        } else {
            FormBody::Whole(Bytes::new())
        };
        drain(body);
        let close = !matches!(form, FormBody::Whole(_)) || client.has_refused_certificate();
        let response = self.answer(endpoint, &parts, form, &client, record).await;
        Refusal { response, close, reason: None, setting: None }.into_response().map(ResponseBody::from)
    }

    /// Answers a request to one of the gate's own endpoints, whose body has been read.
    pub(super) async fn answer(
        &self,
        endpoint: Endpoint,
        parts: &Parts,
        body: FormBody,
        client: &ClientConnection<'_>,
        record: &mut RequestRecord,
    ) -> Response<Full<Bytes>> {
        if let FormBody::Whole(body) = &body {
            record.reads(body.len());
        }
        let address = self.with_rules(|rules| rules.client_address(client.peer, &MapHead::new(parts)));
        let mut origin = crate::gate::Origin::from_address(address);
        origin.certificate = client.verified_certificate();
        origin.https = Some(client.secure);
        let (mut response, told) = self.gate.answer_and_report(endpoint, parts, body, origin).await;
        self.with_rules(|rules| {
            if let Some(cors) = &rules.endpoint_cors {
                cors.apply(endpoint, &MapHead::new(parts), response.headers_mut());
            }
        });
        record.told(&told);
        response
    }
}

/// Waits for the upstream to take one more request, where that is what it has to do.
pub(super) async fn wait_for_place(
    bounds: &mut Option<Box<ExchangeLimits>>,
) -> Result<(), Response<Full<Bytes>>> {
    if let Some(bounds) = bounds
        && let Some(ticket) = bounds.ticket.take()
    {
        // Boxed: seldom, and its state would make every other request's future larger.
        bounds.upstream = Some(Box::pin(ticket.wait()).await?);
    }
    Ok(())
}
