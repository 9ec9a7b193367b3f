//! The way of a request, top to bottom: judged (`judge.rs`), then answered by an endpoint, by a refusal, or from upstream.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::sync::Notify;

use super::addresses::Addresses;
use super::body::{BodyFault, ResponseBody};
use super::cors::Cors;
use super::forward::{BodyLimits, ForwardError, Outbound, forward};
use super::health;
use super::in_flight::InFlight;
use super::judge::{Passed, Verdict};
use super::limits::Limiter;
use super::observe::{self, Watch};
use super::refusal::{Refusal, own_answer};
use super::route::RouteTable;
use super::rules::{ResponseHeaders, Rules};
use super::upstream::Upstream;
use crate::gate::{Endpoint, FormBody, Gate, Origin};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::PeerCertificate;
use crate::oauth::scope::Demand;
use crate::plugin;
use crate::telemetry::{Gauges, Meter, Reason, RouteCells};

/// What a route asks of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A good token.
    Token(Demand),
    /// Nothing: its configuration says so in words.
    Public,
}

/// Where requests of a route go, and on what terms.
#[derive(Debug)]
pub struct Route {
    /// What it asks.
    pub access: Access,
    /// Where it goes.
    pub upstream: Arc<Upstream>,
    /// Where its requests are counted.
    pub(super) meter: Arc<Meter<RouteCells>>,
    /// What is taken off the front of the path on its way upstream.
    pub strip_prefix: Option<Box<str>>,
    /// The longest request body, in bytes; none: no limit.
    pub max_body_size: Option<u64>,
    /// How long a request body may rest between two reads.
    pub body_timeout: Duration,
    /// Whether the upstream sees the client's token.
    pub forward_token: bool,
    /// From where requests are taken; none: from anywhere.
    pub(super) addresses: Option<Addresses>,
    /// How many requests it takes, and how many at once.
    pub(super) rate_limit: Option<Arc<Limiter>>,
    pub(super) in_flight: Option<InFlight>,
    /// What is changed in the upstream's answers.
    pub(super) response_headers: Option<Box<ResponseHeaders>>,
    /// What pages of other origins may do.
    pub(super) cors: Option<Box<Cors>>,
}

/// All routes of a configuration.
pub type Routes = RouteTable<Arc<Route>>;

/// What the proxy needs to know about the connection of a request.
#[derive(Debug, Clone, Copy)]
pub struct ClientConnection<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// The same as a header value, made once a connection.
    pub peer_value: &'a HeaderValue,
    /// Whether the request's head, as it was on the wire, says one thing only.
    pub head_is_clear: bool,
    /// Whether the client speaks TLS, to us or to the terminator before us.
    pub secure: bool,
    /// The certificate that the client showed to us.
    pub certificate: Option<PeerCertificate<'a>>,
}

/// The proxy: one for all threads.
pub struct Proxy {
    pub(super) gate: Gate,
    pub(super) rules: ArcSwap<Rules>,
    changed: Notify,
}

impl Proxy {
    /// A proxy that lets through what `gate` permits.
    #[must_use]
    pub fn new(gate: Gate, rules: Rules) -> Self {
        Self { gate, rules: ArcSwap::from_pointee(rules), changed: Notify::new() }
    }

    /// Swaps all rules at once. Requests under way finish on the old ones.
    pub fn reload(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
        self.changed.notify_one();
    }

    /// Probes servers that have a health check, and looks up names of servers again, on a thread of its own until the
    /// process ends. Without it all servers count as healthy, and a name keeps its first addresses.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start_upkeep(&'static self) -> io::Result<()> {
        health::start(self)
    }

    /// Waits for the next [`Self::reload`].
    pub(super) async fn rules_changed(&self) {
        self.changed.notified().await;
    }

    /// The rules in force: those that follow them count on with what they have counted.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// The gate in front of the routes.
    #[must_use]
    pub fn gate(&self) -> &Gate {
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
            hashing_queue: number(self.gate.hashing_queue()),
        }
    }

    /// Answers one request.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
        client: ClientConnection<'_>,
    ) -> Response<ResponseBody> {
        let (mut parts, body) = request.into_parts();
        // From here on the request is followed to its end, also if this future is dropped.
        let mut watch = Watch::begin(&parts, &client, || self.rules.load().trusts(client.peer));
        let mut response = match self.judge(&mut parts, &body, client, &mut watch) {
            Ok(Verdict::Upstream(passed)) => self.pass(passed, &parts, body, &mut watch).await,
            // Boxed: seldom, and its state would make every other request's future larger.
            Ok(Verdict::Endpoint(endpoint)) => {
                Box::pin(self.answer(endpoint, parts, body, client, &mut watch)).await
            }
            Err(mut refusal) => {
                watch.reason = refusal.reason;
                watch.route = refusal.route.take();
                refusal.understood_by(&parts).into_response()
            }
        };
        watch.answered(&mut response);
        response
    }

    /// Sends on what was let through, and says what of the answer is the route's.
    async fn pass(
        &self,
        passed: Passed,
        parts: &Parts,
        body: Incoming,
        watch: &mut Watch,
    ) -> Response<ResponseBody> {
        let Passed { permit, route, head, mut bounds, upgrade } = passed;
        let route = &**watch.route.insert(route);
        let limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
        let origin = route.cors.as_ref().and_then(|cors| cors.origin(&parts.headers));
        if let Some(bounds) = &mut bounds
            && let Some(ticket) = bounds.ticket.take()
        {
            // Boxed: seldom, and its state would make every other request's future larger.
            match Box::pin(ticket.wait()).await {
                Ok(slot) => bounds.upstream = Some(slot),
                Err(refusal) => {
                    watch.reason = Some(Reason::UpstreamBusy);
                    return own_answer(refusal, route, parts, origin);
                }
            }
        }
        let outbound = Outbound { head, body, upgrade, limits, bounds };
        match forward(permit, &self.gate, &route.upstream, outbound, &mut watch.trip).await {
            Ok(mut response) => {
                watch.trip.returns();
                if let Some(changes) = &route.response_headers {
                    changes.apply(response.headers_mut());
                }
                if let Some(cors) = &route.cors {
                    cors.mark(response.headers_mut(), origin);
                }
                response
            }
            Err(error) => {
                // A body that is too long or too slow is the client's doing.
                if !matches!(error, ForwardError::Body(_)) {
                    route.upstream.report(&error);
                }
                watch.reason = Some(observe::of_forward_error(&error));
                let response = match error {
                    ForwardError::Body(BodyFault::TokenEnded) => self.gate.refuse(&Denial::InvalidToken),
                    error => error.to_response(),
                };
                own_answer(response, route, parts, origin)
            }
        }
    }

    /// Answers a request to one of the gate's own endpoints.
    async fn answer(
        &self,
        endpoint: Endpoint,
        parts: Parts,
        body: Incoming,
        client: ClientConnection<'_>,
        watch: &mut Watch,
    ) -> Response<ResponseBody> {
        watch.reaches(endpoint);
        let body = if endpoint.reads_body() {
            // The whole of it within the time that other bodies have between two reads.
            let within = self.rules.load().body_timeout;
            match tokio::time::timeout(within, plugin::read_form(body)).await {
                Ok(body) => body,
                Err(_) => FormBody::TooSlow,
            }
        } else {
            FormBody::Whole(Bytes::new())
        };
        let close = !matches!(body, FormBody::Whole(_));
        if let FormBody::Whole(body) = &body {
            watch.reads(body.len());
        }
        let mut origin = Origin::from_address(client.peer);
        origin.certificate = client.certificate;
        origin.https = Some(client.secure);
        let (response, told) = self.gate.answer_and_report(endpoint, &parts, body, origin).await;
        watch.told(&told);
        Refusal { response, close, reason: None, route: None }.into_response()
    }
}
