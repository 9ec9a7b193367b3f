//! The way of a request, top to bottom: framing, host, path, endpoint or route, gate, upstream.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::sync::Notify;

use super::addresses::Addresses;
use super::body::{BodyFault, ResponseBody};
use super::cors::{self, Cors};
use super::forward::{BodyLimits, ForwardError, Head, Outbound, forward};
use super::h1::RequestHead;
use super::h2;
use super::headers::{self, ClientAuthorization, Outgoing, Proto};
use super::health;
use super::host;
use super::in_flight::{Entry, InFlight};
use super::limits::{Bounds, Limiter};
use super::path;
use super::route::{Match, RouteTable};
use super::rules::{ResponseHeaders, Rules};
use super::tunnel;
use super::upstream::Upstream;
use crate::answer;
use crate::gate::{Endpoint, FormBody, Gate, Origin};
use crate::oauth::decide::{self, Permit};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::{Evidence, PeerCertificate, Target};
use crate::oauth::scope::Demand;
use crate::plugin::{self, grpc};

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
    gate: Gate,
    rules: ArcSwap<Rules>,
    changed: Notify,
}

/// A request that may go upstream, with the head it goes with.
struct Passed {
    permit: Permit,
    route: Arc<Route>,
    head: Head,
    bounds: Option<Box<Bounds>>,
    /// The client's side of an upgrade that was asked for.
    upgrade: Option<OnUpgrade>,
}

/// Where a request goes once its head is understood.
enum Verdict {
    Upstream(Passed),
    Endpoint(Endpoint),
}

/// An answer of our own, and whether the connection can go on after it.
struct Refusal {
    response: Response<Full<Bytes>>,
    close: bool,
}

impl Refusal {
    /// The request cannot be understood in one way only: nothing after it on the connection can be trusted.
    fn ambiguous(status: StatusCode, detail: &str) -> Self {
        Self { response: answer::problem(status, detail), close: true }
    }

    /// Lets a page of another origin read it, where the route has such pages.
    fn readable(mut self, route: &Route, parts: &Parts) -> Self {
        if let Some(cors) = &route.cors {
            cors.mark_own(self.response.headers_mut(), cors.origin(&parts.headers));
        }
        self
    }

    fn not_allowed(allow: HeaderValue) -> Self {
        let mut response =
            answer::problem(StatusCode::METHOD_NOT_ALLOWED, "the method is not one of this resource");
        response.headers_mut().insert(ALLOW, allow);
        Self { response, close: false }
    }

    /// In the words of gRPC, if it is to a call of gRPC.
    fn understood_by(self, parts: &Parts) -> Self {
        if is_grpc_call(parts) { Self { response: in_grpc(self.response), ..self } } else { self }
    }

    fn into_response(self) -> Response<ResponseBody> {
        let mut response = self.response.map(ResponseBody::from);
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Response<Full<Bytes>>> for Refusal {
    fn from(response: Response<Full<Bytes>>) -> Self {
        Self { response, close: false }
    }
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

    /// Answers one request.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
        client: ClientConnection<'_>,
    ) -> Response<ResponseBody> {
        let (mut parts, body) = request.into_parts();
        match self.judge(&mut parts, &body, client) {
            Ok(Verdict::Upstream(Passed { permit, route, head, mut bounds, upgrade })) => {
                // No other upstream could serve such a call.
                let grpc = route.upstream.http2 && is_grpc_call(&parts);
                let limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
                let origin = route.cors.as_ref().and_then(|cors| cors.origin(&parts.headers));
                if let Some(bounds) = &mut bounds
                    && let Some(ticket) = bounds.ticket.take()
                {
                    // Boxed: seldom, and its state would make every other request's future larger.
                    match Box::pin(ticket.wait()).await {
                        Ok(slot) => bounds.upstream = Some(slot),
                        Err(refusal) => {
                            let refusal = Refusal::from(refusal).readable(&route, &parts);
                            return refusal.understood_by(&parts).into_response();
                        }
                    }
                }
                let outbound = Outbound { head, body, upgrade, limits, bounds };
                match forward(permit, &self.gate, &route.upstream, outbound).await {
                    Ok(mut response) => {
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
                        let mut response = match error {
                            ForwardError::Body(BodyFault::TokenEnded) => {
                                self.gate.refuse(&Denial::InvalidToken)
                            }
                            error => error.to_response(),
                        };
                        if grpc {
                            response = in_grpc(response);
                        }
                        let mut response = response.map(ResponseBody::from);
                        if let Some(cors) = &route.cors {
                            cors.mark_own(response.headers_mut(), origin);
                        }
                        response
                    }
                }
            }
            // Boxed: seldom, and its state would make every other request's future larger.
            Ok(Verdict::Endpoint(endpoint)) => Box::pin(self.answer(endpoint, parts, body, client)).await,
            Err(refusal) => refusal.understood_by(&parts).into_response(),
        }
    }

    /// Everything that is decided about a request before it moves, in one go and without waiting.
    fn judge(
        &self,
        parts: &mut Parts,
        body: &Incoming,
        client: ClientConnection<'_>,
    ) -> Result<Verdict, Refusal> {
        if !client.head_is_clear {
            return Err(Refusal::ambiguous(
                StatusCode::BAD_REQUEST,
                "the request can be read in two ways: a fragment in its target, or two lengths of its body",
            ));
        }
        let rules = self.rules.load();
        if parts.version == Version::HTTP_2 && parts.headers.len() > rules.max_headers {
            let detail = "the request has more headers than this server accepts";
            return Err(answer::problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).into());
        }
        headers::check_request(parts)
            .map_err(|error| Refusal::ambiguous(error.status(), error.public_text()))?;
        if matches!(parts.method, Method::TRACE | Method::CONNECT) {
            return Err(Refusal::not_allowed(HeaderValue::from_static(
                "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            )));
        }
        let ambiguous = |text| Refusal::ambiguous(StatusCode::BAD_REQUEST, text);
        let host = host::authority(parts).map_err(|error| ambiguous(error.public_text()))?;
        let path = path::canonical(parts.uri.path()).map_err(|error| ambiguous(error.public_text()))?;

        if let Some(endpoint) = self.gate.endpoint(path.as_str()) {
            return Ok(Verdict::Endpoint(endpoint));
        }
        if let Some(method) = cors::preflight(parts)
            && let Match::Found(route) = rules.routes.find(host.name(), &path, &method)
            && let Some(cors) = &route.cors
        {
            check_address(route, client)?;
            return Err(cors.answer_preflight(cors.origin(&parts.headers)).into());
        }
        let route = match rules.routes.find(host.name(), &path, &parts.method) {
            Match::Found(route) => Arc::clone(route),
            Match::MethodNotAllowed { allow } => return Err(Refusal::not_allowed(allow.clone())),
            Match::NotFound => {
                return Err(answer::problem(StatusCode::NOT_FOUND, "there is nothing at this path").into());
            }
            Match::PathRefused(error) => return Err(ambiguous(error.public_text())),
        };
        // All borrowed: a URI is only made of it for a DPoP proof.
        let target = Target {
            method: &parts.method,
            https: client.secure,
            authority: host.as_str(),
            path: path.as_str(),
        };
        let (permit, bounds) = self
            .admit(&rules, &route, parts, target, body, client)
            .map_err(|refusal| refusal.readable(&route, parts))?;
        let http2 = route.upstream.http2;
        // HTTP/2 and absolute-form name the host in the target; otherwise the Host header already says it.
        let authority = match parts.uri.authority() {
            None if !http2 => None,
            _ => Some(
                HeaderValue::from_str(host.as_str()).map_err(|_| ambiguous("the host is not well-formed"))?,
            ),
        };
        // An upgrade is HTTP/1.1's own.
        let upgrade = if http2 { None } else { tunnel::requested(parts) };
        let mut outgoing =
            Outgoing::new(client.peer_value, if client.secure { Proto::Https } else { Proto::Http });
        outgoing.client_id = permit.client_header();
        outgoing.client_scope = permit.scope_header();
        outgoing.authorization = match (&route.access, route.forward_token) {
            (_, true) => ClientAuthorization::Forward,
            (Access::Public, false) => ClientAuthorization::RemoveOurs,
            (Access::Token(_), false) => ClientAuthorization::Remove,
        };
        outgoing.credential = route.upstream.credentials.as_ref().map(|(name, value)| (name, value));
        outgoing.peer_is_trusted = rules.trusts(client.peer);
        outgoing.version = parts.version;
        outgoing.authority = authority.as_ref();
        outgoing.upgrade = upgrade.as_ref();
        outgoing.upstream_http2 = http2;
        outgoing.streamed_body = !body.is_end_stream() && body.size_hint().exact().is_none();
        outgoing.proof = !permit.is_bound_to_key() || route.forward_token;
        let path = strip(path.as_str(), route.strip_prefix.as_deref());
        let head = if http2 {
            let head =
                h2::head(&parts.method, host.as_str(), path, parts.uri.query(), &parts.headers, &outgoing);
            Head::Http2(Box::new(head.map_err(|_| ambiguous("the request target is not well-formed"))?))
        } else {
            let head = RequestHead::new(&parts.method, path, parts.uri.query(), &parts.headers, &outgoing);
            Head::Http1(parts.method.clone(), head)
        };
        let upgrade = upgrade.and_then(|_| parts.extensions.remove::<OnUpgrade>());
        Ok(Verdict::Upstream(Passed { permit, route, head, bounds, upgrade }))
    }

    /// What the route asks, in this order: where it comes from, the token, the rates, the size, the places.
    fn admit(
        &self,
        rules: &Rules,
        route: &Route,
        parts: &Parts,
        target: Target<'_>,
        body: &Incoming,
        client: ClientConnection<'_>,
    ) -> Result<(Permit, Option<Box<Bounds>>), Refusal> {
        check_address(route, client)?;
        let permit = match &route.access {
            Access::Public => decide::public(),
            Access::Token(demand) => {
                let evidence = Evidence { certificate: client.certificate, target: Some(target) };
                self.gate
                    .authorize_with(&parts.headers, demand, &evidence)
                    .map_err(|denial| Refusal::from(self.gate.refuse(&denial)))?
            }
        };
        rules.check_client(&permit)?;
        if let Some(limiter) = &route.rate_limit {
            limiter.check()?;
        }
        if route.max_body_size.is_some_and(|max| body.size_hint().lower() > max) {
            return Err(Refusal {
                response: ForwardError::Body(BodyFault::TooLarge).to_response(),
                close: true,
            });
        }
        let mut bounds = None;
        if let Some(in_flight) = &route.in_flight {
            Bounds::of(&mut bounds).route = Some(in_flight.enter()?);
        }
        if let Some(in_flight) = &route.upstream.in_flight {
            let bounds = Bounds::of(&mut bounds);
            match in_flight.enter_or_wait()? {
                Entry::In(slot) => bounds.upstream = Some(slot),
                Entry::Waiting(ticket) => bounds.ticket = Some(ticket),
            }
        }
        Ok((permit, bounds))
    }

    /// Answers a request to one of the gate's own endpoints.
    async fn answer(
        &self,
        endpoint: Endpoint,
        parts: Parts,
        body: Incoming,
        client: ClientConnection<'_>,
    ) -> Response<ResponseBody> {
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
        let mut origin = Origin::from_address(client.peer);
        origin.certificate = client.certificate;
        origin.https = Some(client.secure);
        let response = self.gate.answer(endpoint, &parts, body, origin).await;
        Refusal { response, close }.into_response()
    }
}

/// Whether a request is a call of gRPC, which there is in HTTP/2 only.
fn is_grpc_call(parts: &Parts) -> bool {
    parts.version == Version::HTTP_2 && grpc::is_call(&parts.headers)
}

fn in_grpc(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    grpc::refusal(&response, &answer::text(&response))
}

/// Refuses what comes from where the route takes nothing from, before its token is looked at.
fn check_address(route: &Route, client: ClientConnection<'_>) -> Result<(), Refusal> {
    match &route.addresses {
        Some(addresses) if !addresses.take(client.peer) => {
            let detail = "this resource takes no requests from this address";
            Err(answer::problem(StatusCode::FORBIDDEN, detail).into())
        }
        _ => Ok(()),
    }
}

/// The path that goes upstream.
pub(crate) fn strip<'p>(path: &'p str, prefix: Option<&str>) -> &'p str {
    match prefix {
        None => path,
        Some(prefix) => path.get(prefix.len()..).filter(|rest| !rest.is_empty()).unwrap_or("/"),
    }
}
