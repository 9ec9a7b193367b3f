//! Authorizes requests: one function decides for the pipeline and for `tollgate explain`.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};

use super::cors;
use super::forward::error::ForwardError;
use super::forward::http2;
use super::forward::outbound::Head;
use super::observe;
use super::observer::{Denied, RequestObserver};
use super::refusal::Refusal;
use super::request_context::RequestContext;
use super::route::{Access, ClientConnection, JwtAccess, Route};
use super::rules::Rules;
use super::shadow::judge;
use super::transform::Transform;
use super::tunnel;
use crate::gate::question::{Question, Undecided};
use crate::gate::{Endpoint, Gate};
use crate::headers::{
    AppliedRules, Class, CredentialsIn, CredentialsOf, Form, Framing, Outgoing, Proto, RequestView,
    authenticates_connection,
};
use crate::limit::concurrency::Admission;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::{Evidence, Target};
use crate::response;
use crate::route::host::{Host, HostError, HostRule, LastHost, TargetHost};
use crate::route::path::{self, PathError};
use crate::route::table::Match;
use crate::telemetry::Reason;
use crate::upstream::downstream::BodyFault;

/// A request that may be forwarded, with the head to send upstream.
pub(crate) struct Authorized {
    pub(crate) lease: Lease,
    pub(crate) head: Head,
    pub(crate) limits: Option<Box<ExchangeLimits>>,
    /// Whether the client requested an upgrade that the upstream may accept.
    pub(crate) upgrade: bool,
    /// Whether the request authenticates the connection to the upstream (NTLM, Negotiate).
    pub(crate) login: bool,
    /// What the response needs to know about the request. Boxed, because few routes need it.
    pub(crate) for_response: Option<Box<ForResponse>>,
}

/// What the response needs to know about the request.
#[derive(Default)]
pub(crate) struct ForResponse {
    /// The value of `Access-Control-Allow-Origin`, on a route with CORS.
    pub(crate) origin: Option<HeaderValue>,
    /// The canonical path of the request, on a route that rewrites paths.
    pub(crate) request_path: Option<Box<str>>,
}

/// What the pipeline does with a request once its head is authorized.
pub(crate) enum Disposition {
    Upstream(Authorized),
    Endpoint(Endpoint),
    /// The store must be queried. The request is then authorized again, with the store's answer.
    Ask(Question),
}

/// The result of checking a request against the requirements of its route.
enum Enforced {
    Permitted(Lease, Option<Box<ExchangeLimits>>),
    Ask(Question),
}

/// The buffers that a decision is written to. They are reused by the requests of a connection.
pub(crate) struct Scratch<'a> {
    /// The identity of the client.
    pub(crate) identity: &'a mut Identity,
    /// The request head for an HTTP/1.1 server.
    pub(crate) head: &'a mut Vec<u8>,
    pub(crate) last_host: &'a mut LastHost,
}

/// Decides about a request from its head, without waiting.
///
/// The steps are: the host, the canonical path, the endpoint or the route, and then the requirements of the
/// route (see [`enforce`]). The caller has already checked the framing of the body by the rules of its
/// protocol. `tollgate explain` calls this function too.
///
/// # Errors
/// Returns the refusal to send to the client.
pub(crate) fn authorize<V: RequestView>(
    gate: &Gate,
    rules: &Rules,
    context: &RequestContext<'_, V>,
    observer: &mut impl RequestObserver,
    scratch: &mut Scratch<'_>,
) -> Result<Disposition, Box<Refusal>> {
    let RequestContext { request, client, .. } = *context;
    let method = request.method();
    if matches!(*method, Method::TRACE | Method::CONNECT) {
        let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return Err(Refusal::not_allowed(allowed).into());
    }
    let Scratch { identity, head: written, last_host } = scratch;
    let host = host_of(request, last_host).map_err(|error| ambiguous(error.public_text()))?;
    let path = path::canonical(request.path()).map_err(Refusal::path)?;

    observer.on_target(host.as_str(), path.as_str());

    if let Some(endpoint) = gate.endpoint(path.as_str()) {
        check_rate_outside_of_routes(rules, request, client)?;
        if let Some(cors) = &rules.endpoint_cors
            && cors::preflight(request).is_some()
        {
            let cors = cors.of(endpoint);
            let response = cors.preflight_response(cors.origin(request));
            return Err(Refusal { response, close: false, reason: None, setting: None }.into());
        }
        return Ok(Disposition::Endpoint(endpoint));
    }
    if let Some(method) = cors::preflight(request)
        && let Match::Found(route) = rules.routes.find(host.name(), &path, &method)
        && let Some(cors) = &route.cors
    {
        observer.on_route(route);
        check_address(rules, route, request, client).map_err(|refusal| refusal.of(route, request))?;
        let response = cors.preflight_response(cors.origin(request));
        return Err(Refusal { response, close: false, reason: None, setting: None }.into());
    }
    let route = match rules.routes.find(host.name(), &path, method) {
        Match::Found(route) => route,
        Match::MethodNotAllowed { allow } => return Err(Refusal::not_allowed(allow.clone()).into()),
        Match::NotFound => {
            check_rate_outside_of_routes(rules, request, client)?;
            let response = response::problem(StatusCode::NOT_FOUND, "there is nothing at this path");
            return Err(Refusal::new(response, Reason::NoRoute).into());
        }
        Match::PathRefused(error) => return Err(Refusal::path(error).into()),
    };
    observer.on_route(route);
    // All fields are borrowed: only a DPoP proof needs a URI made of them.
    let target = Target { method, https: client.secure, authority: host.as_str(), path: path.as_str() };
    let enforced = enforce(gate, rules, route, context, target, observer, identity);
    let (lease, limits) = match enforced.map_err(|refusal| refusal.of(route, request))? {
        Enforced::Permitted(lease, limits) => (lease, limits),
        Enforced::Ask(question) => return Ok(Disposition::Ask(question)),
    };
    // Only HTTP/1.1 has upgrades.
    let upgrade = if route.upstream.http2 { None } else { tunnel::requested(request) };
    let outgoing = Outgoing { upgrade, ..outgoing(rules, route, context, &host, &lease, identity, observer) };
    let (head, request_path) = match &route.transform {
        None => (head(route, request, host.as_str(), path.as_str(), &outgoing, written)?, None),
        Some(transform) => {
            let head = transformed(transform, route, context, (&host, path.as_str()), outgoing, written)?;
            (head, Some(path.as_str().into()))
        }
    };
    let for_response = if route.cors.is_none() && request_path.is_none() {
        None
    } else {
        let origin = route.cors.as_ref().and_then(|cors| cors.origin(request));
        Some(Box::new(ForResponse { origin, request_path }))
    };
    let login = route.carries_logins && request.values(Class::Authorization).any(authenticates_connection);
    let upgrade = upgrade.is_some();
    Ok(Disposition::Upstream(Authorized { lease, head, limits, upgrade, login, for_response }))
}

/// Returns the host that a request is for.
pub(super) fn host_of<'a>(
    request: &'a impl RequestView,
    last: &'a mut LastHost,
) -> Result<Host<'a>, HostError> {
    let target = match (request.form(), request.authority()) {
        (Form::OtherScheme, _) => return Err(HostError::Scheme),
        (_, None) => None,
        (form, Some(authority)) => {
            let default_port = match form {
                Form::Http => Some(80),
                Form::Https => Some(443),
                _ => None,
            };
            Some(TargetHost { authority, default_port })
        }
    };
    let rule = match request.version() {
        Version::HTTP_10 => HostRule::Optional,
        Version::HTTP_2 => HostRule::TargetSuffices,
        _ => HostRule::Required,
    };
    last.of_request(target, request.values(Class::Host), rule)
}

/// Returns what the gateway adds to a request that is forwarded. This is the only place where the client's
/// identity is added.
fn outgoing<'a, V: RequestView>(
    rules: &Rules,
    route: &'a Route,
    context: &RequestContext<'a, V>,
    host: &Host<'a>,
    lease: &Lease,
    identity: &'a Identity,
    observer: &'a impl RequestObserver,
) -> Outgoing<'a> {
    let RequestContext { request, client, .. } = *context;
    let upstream = &route.upstream;
    let proto = if client.secure { Proto::Https } else { Proto::Http };
    let mut outgoing = Outgoing::new(client.peer_value.as_bytes(), proto);
    outgoing.client_id = identity.client().map(str::as_bytes);
    outgoing.client_scope = identity.scope().map(str::as_bytes);
    let (authorization, rules_of_route) = match &route.access {
        // No token: an enforced route would refuse the request.
        Access::Shadow(shadow) if lease.digest().is_none() => shadow.forwarding(request),
        _ => (route.authorization, route.request_rules.as_deref()),
    };
    outgoing.authorization = authorization;
    outgoing.rules = rules_of_route.map(|rules| AppliedRules {
        rules,
        trace: if rules.is_traced() { observer.trace_context() } else { None },
        jwt: rules.jwt().map(|header| (header, jwt_value(header, identity.authorization()))),
    });
    outgoing.peer_is_trusted = rules.trusts(client.peer);
    outgoing.version = request.version();
    // HTTP/2 and absolute-form name the host in the target; otherwise the Host header already says it.
    outgoing.authority = (!host.is_none() && (upstream.http2 || request.authority().is_some()))
        .then(|| host.as_str().as_bytes());
    // HTTP/1.1 requires a host, but HTTP/1.0 clients may omit it.
    outgoing.upstream_host = if host.is_none() { Some(upstream.default_host()) } else { None };
    outgoing.upstream_http2 = upstream.http2;
    outgoing.request_id = observer.request_id();
    outgoing.streamed_body = !context.bodiless && context.body_size.exact().is_none();
    outgoing.proof = !lease.is_bound_to_key() || route.forward_token;
    outgoing
}

/// Builds the head to send upstream with this path. `host` becomes the `:authority` for an HTTP/2 server.
#[inline]
fn head(
    route: &Route,
    request: &impl RequestView,
    host: &str,
    path: &str,
    outgoing: &Outgoing<'_>,
    out: &mut Vec<u8>,
) -> Result<Head, Refusal> {
    if route.upstream.http2 {
        let head = http2::head(request, host, path, outgoing);
        return Ok(Head::Http2(Box::new(
            head.map_err(|_| ambiguous("the request target is not well-formed"))?,
        )));
    }
    Ok(Head::Http1 { chunked: write_head(request, path, outgoing, out) == Framing::Chunked })
}

/// Builds the head to send upstream on a route with a [`Transform`].
#[cold]
fn transformed<V: RequestView>(
    transform: &Transform,
    route: &Route,
    context: &RequestContext<'_, V>,
    (host, path): (&Host<'_>, &str),
    outgoing: Outgoing<'_>,
    out: &mut Vec<u8>,
) -> Result<Head, Refusal> {
    /// The end of a head whose body is chunked.
    const CHUNKED: &[u8] = b"transfer-encoding: chunked\r\n\r\n";
    let sent = transform.path(path).ok_or_else(|| ambiguous(PathError::Ambiguous.public_text()))?;
    let prefix = transform.rewrite.removed(path).map(str::as_bytes);
    let fixed = transform.host.as_deref();
    let outgoing =
        Outgoing { prefix, upstream_host: fixed.map(str::as_bytes).or(outgoing.upstream_host), ..outgoing };
    let head = head(route, context.request, fixed.unwrap_or(host.as_str()), &sent, &outgoing, out)?;
    if !transform.buffer || context.bodiless {
        return Ok(head);
    }
    if let Some(rest) = out.strip_suffix(CHUNKED) {
        // `Content-Length` is added here once the body has been read.
        out.truncate(rest.len());
    }
    Ok(Head::Buffered)
}

fn ambiguous(text: &str) -> Refusal {
    Refusal::ambiguous(StatusCode::BAD_REQUEST, text)
}

/// Writes the head for an HTTP/1.1 server, with the canonical path and the query as received.
fn write_head(
    request: &impl RequestView,
    path: &str,
    outgoing: &Outgoing<'_>,
    head: &mut Vec<u8>,
) -> Framing {
    head.extend_from_slice(request.method().as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(path.as_bytes());
    if let Some(query) = request.query() {
        head.push(b'?');
        head.extend_from_slice(query);
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    let framing = request.write_upstream(outgoing, head);
    head.extend_from_slice(b"\r\n");
    framing
}

/// Checks the requirements of a route in this order: the client's address, the token, the rates, the size of
/// the body, and the number of requests in flight.
fn enforce<V: RequestView>(
    gate: &Gate,
    rules: &Rules,
    route: &Route,
    context: &RequestContext<'_, V>,
    target: Target<'_>,
    observer: &mut impl RequestObserver,
    identity: &mut Identity,
) -> Result<Enforced, Box<Refusal>> {
    let RequestContext { request, client, .. } = *context;
    check_address(rules, route, request, client)?;
    let leased = match &route.access {
        Access::Public => {
            identity.clear();
            Ok(Lease::public())
        }
        Access::Token(demand) => {
            let evidence = Evidence { certificate: client.verified_certificate(), target: Some(target) };
            gate.lease(&CredentialsOf(request), demand, &evidence, identity, context.answers)
        }
        Access::TokenIn(header, demand) => {
            let evidence = Evidence { certificate: client.verified_certificate(), target: Some(target) };
            let credentials = CredentialsIn::new(request, header);
            gate.lease(&credentials, demand, &evidence, identity, context.answers)
        }
        Access::Jwt(jwt) => lease_with_jwt(gate, jwt, context, target, identity),
        Access::Shadow(shadow) => judge::lease(gate, rules, shadow, context, target, observer, identity),
    };
    let lease = match leased {
        Ok(lease) => lease,
        Err(Undecided::Ask(question)) => return Ok(Enforced::Ask(question)),
        Err(Undecided::Denied(denial)) => {
            // These are about a token that was found: the identity is its own, and not an earlier request's.
            let found =
                matches!(denial, Denial::InsufficientScope(_) | Denial::WrongAudience | Denial::NotHeld(_));
            let client_id = identity.client().filter(|_| found);
            let address = rules.client_address(client.peer, request);
            observer.on_denial(&Denied { denial: &denial, client: client_id, address, target });
            let refusal = Refusal::new(gate.refuse(&denial), observe::denial_reason(&denial));
            return Err(Refusal { close: client.has_refused_certificate(), ..refusal }.into());
        }
    };
    observer.on_permit(identity.client());
    let refused = |reason| move |response| Refusal::new(response, reason);
    rules.check_client(gate, identity.client()).map_err(refused(Reason::ClientRate))?;
    if let Some(limiter) = &route.rate_limit {
        limiter.check().map_err(refused(Reason::RouteRate))?;
    }
    if route.max_body_size.is_some_and(|max| context.body_size.lower() > max) {
        let response = ForwardError::Body(BodyFault::TooLarge).to_response();
        return Err(Refusal { close: true, ..Refusal::new(response, Reason::BodyTooLarge) }.into());
    }
    let mut limits = None;
    if let Some(in_flight) = &route.in_flight {
        ExchangeLimits::of(&mut limits).route =
            Some(in_flight.try_acquire().map_err(refused(Reason::RouteBusy))?);
    }
    if let Some(in_flight) = &route.upstream.in_flight {
        let limits = ExchangeLimits::of(&mut limits);
        match in_flight.acquire_or_queue().map_err(refused(Reason::UpstreamBusy))? {
            Admission::Granted(permit) => limits.upstream = Some(permit),
            Admission::Queued(ticket) => limits.ticket = Some(ticket),
        }
    }
    Ok(Enforced::Permitted(lease, limits))
}

/// Leases on a route whose upstream gets a JWT.
#[inline(never)]
fn lease_with_jwt<V: RequestView>(
    gate: &Gate,
    jwt: &JwtAccess,
    context: &RequestContext<'_, V>,
    target: Target<'_>,
    identity: &mut Identity,
) -> Result<Lease, Undecided> {
    let RequestContext { request, client, answers, .. } = *context;
    let evidence = Evidence { certificate: client.verified_certificate(), target: Some(target) };
    let JwtAccess { demand, header, audience } = jwt;
    match header {
        None => gate.lease_with_jwt(&CredentialsOf(request), demand, &evidence, identity, answers, audience),
        Some(header) => {
            let credentials = CredentialsIn::new(request, header);
            gate.lease_with_jwt(&credentials, demand, &evidence, identity, answers, audience)
        }
    }
}

/// Returns what a header with a JWT contains. Only `Authorization` names a scheme.
fn jwt_value<'a>(header: &HeaderName, authorization: &'a str) -> &'a [u8] {
    let jwt = authorization.strip_prefix("Bearer ").filter(|_| *header != AUTHORIZATION);
    jwt.unwrap_or(authorization).as_bytes()
}

/// Checks the client's address and its request rate, before the token is checked. Refused requests count
/// towards the rate.
fn check_address(
    rules: &Rules,
    route: &Route,
    request: &impl RequestView,
    client: &ClientConnection<'_>,
) -> Result<(), Refusal> {
    let Some(policy) = &route.addresses else { return Ok(()) };
    // The filter uses the address of the connection. Even a trusted proxy does not decide which addresses are
    // allowed.
    if policy.filter.as_ref().is_some_and(|filter| !filter.allows(client.peer)) {
        let detail = "this resource takes no requests from this address";
        return Err(Refusal::new(response::problem(StatusCode::FORBIDDEN, detail), Reason::Address));
    }
    if policy.rates.is_empty() {
        return Ok(());
    }
    let address = rules.client_address(client.peer, request);
    let checked = policy.rates.iter().try_for_each(|limiter| limiter.check(address));
    checked.map_err(|response| Refusal::new(response, Reason::AddressRate))
}

/// Counts a request without a route against the server's rate for its address.
fn check_rate_outside_of_routes(
    rules: &Rules,
    request: &impl RequestView,
    client: &ClientConnection<'_>,
) -> Result<(), Refusal> {
    let Some(limiter) = &rules.rate_by_address else { return Ok(()) };
    let checked = limiter.check(rules.client_address(client.peer, request));
    checked.map_err(|response| Refusal::new(response, Reason::AddressRate))
}
