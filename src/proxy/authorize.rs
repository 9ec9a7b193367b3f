//! Decides about requests. One function does it, for the pipeline and for `tollgate explain`.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Version};
use http_body::SizeHint;

use super::cors;
use super::forward::error::ForwardError;
use super::forward::http2;
use super::forward::outbound::Head;
use super::notes::Notes;
use super::observe;
use super::refusal::Refusal;
use super::route::{Access, ClientConnection, Route};
use super::rules::Rules;
use super::tunnel;
use crate::gate::{Endpoint, Gate};
use crate::headers::{self, ClientAuthorization, Outgoing, Proto};
use crate::limit::concurrency::Admission;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::{self, Permit};
use crate::oauth::evidence::{Evidence, Target};
use crate::proxy::body::fault::BodyFault;
use crate::response;
use crate::route::host;
use crate::route::path::{self, PathError};
use crate::route::strip::strip_prefix;
use crate::route::table::Match;
use crate::telemetry::Reason;
use crate::upstream::http1::request::RequestHead;

/// A request that may go upstream, with the head it goes with.
pub(crate) struct Authorized {
    pub(crate) permit: Permit,
    pub(crate) route: Arc<Route>,
    pub(crate) head: Head,
    pub(crate) bounds: Option<Box<ExchangeLimits>>,
    /// Whether the client asked for an upgrade that its upstream may grant.
    pub(crate) upgrade: bool,
}

/// Where a request goes once its head is understood.
pub(crate) enum Disposition {
    Upstream(Authorized),
    Endpoint(Endpoint),
}

/// What the gateway knows about a request before it decides.
pub(crate) struct RequestContext<'a> {
    pub(crate) parts: &'a Parts,
    /// Whether the request has no body.
    pub(crate) bodiless: bool,
    /// How long the body is, as far as the request says so.
    pub(crate) body_size: SizeHint,
    pub(crate) client: ClientConnection<'a>,
}

/// Decides about a request: everything that can be decided before it moves, without waiting.
///
/// The order is: framing, host, canonical path, an endpoint of the gateway or a route, and then what the route asks for
/// (see [`enforce`]). `tollgate explain` calls this function too.
///
/// # Errors
/// The refusal that the client gets.
pub(crate) fn authorize(
    gate: &Gate,
    rules: &Rules,
    request: &RequestContext<'_>,
    notes: &mut impl Notes,
) -> Result<Disposition, Refusal> {
    let RequestContext { parts, client, .. } = *request;
    if !client.head_is_clear {
        return Err(Refusal::ambiguous(
            StatusCode::BAD_REQUEST,
            "the request can be read in two ways: a fragment in its target, or two lengths of its body",
        ));
    }
    if parts.version == Version::HTTP_2 && parts.headers.len() > rules.max_headers {
        let detail = "the request has more headers than this server accepts";
        let response = response::problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail);
        return Err(Refusal::new(response, Reason::Ambiguous));
    }
    headers::check_request(parts).map_err(|error| Refusal::ambiguous(error.status(), error.public_text()))?;
    if matches!(parts.method, Method::TRACE | Method::CONNECT) {
        return Err(Refusal::not_allowed(HeaderValue::from_static(
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        )));
    }
    let ambiguous = |text| Refusal::ambiguous(StatusCode::BAD_REQUEST, text);
    let host = host::authority(parts).map_err(|error| ambiguous(error.public_text()))?;
    let path = path::canonical(parts.uri.path()).map_err(|error| ambiguous(error.public_text()))?;

    notes.names(host.as_str(), path.as_str());

    if let Some(endpoint) = gate.endpoint(path.as_str()) {
        return Ok(Disposition::Endpoint(endpoint));
    }
    if let Some(method) = cors::preflight(parts)
        && let Match::Found(route) = rules.routes.find(host.name(), &path, &method)
        && let Some(cors) = &route.cors
    {
        check_address(route, client).map_err(|refusal| refusal.of(route, parts))?;
        let response = cors.answer_preflight(cors.origin(&parts.headers));
        let route = Some(Arc::clone(route));
        return Err(Refusal { response, close: false, reason: None, route });
    }
    let route = match rules.routes.find(host.name(), &path, &parts.method) {
        Match::Found(route) => Arc::clone(route),
        Match::MethodNotAllowed { allow } => return Err(Refusal::not_allowed(allow.clone())),
        Match::NotFound => {
            let response = response::problem(StatusCode::NOT_FOUND, "there is nothing at this path");
            return Err(Refusal::new(response, Reason::NoRoute));
        }
        Match::PathRefused(error) => return Err(ambiguous(error.public_text())),
    };
    // All borrowed: a URI is only made of it for a DPoP proof.
    let target =
        Target { method: &parts.method, https: client.secure, authority: host.as_str(), path: path.as_str() };
    let (permit, bounds) =
        enforce(gate, rules, &route, request, target, notes).map_err(|refusal| refusal.of(&route, parts))?;
    let http2 = route.upstream.http2;
    // HTTP/2 and absolute-form name the host in the target; otherwise the Host header already says it.
    let authority = match parts.uri.authority() {
        None if !http2 => None,
        _ => {
            Some(HeaderValue::from_str(host.as_str()).map_err(|_| ambiguous("the host is not well-formed"))?)
        }
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
    outgoing.request_id = notes.request_id();
    outgoing.streamed_body = !request.bodiless && request.body_size.exact().is_none();
    outgoing.proof = !permit.is_bound_to_key() || route.forward_token;
    let path = strip_prefix(path.as_str(), route.strip_prefix.as_deref())
        .ok_or_else(|| ambiguous(PathError::Ambiguous.public_text()))?;
    let head = if http2 {
        let head =
            http2::head(&parts.method, host.as_str(), path, parts.uri.query(), &parts.headers, &outgoing);
        Head::Http2(Box::new(head.map_err(|_| ambiguous("the request target is not well-formed"))?))
    } else {
        let head = RequestHead::new(&parts.method, path, parts.uri.query(), &parts.headers, &outgoing);
        Head::Http1(parts.method.clone(), head)
    };
    let upgrade = upgrade.is_some();
    Ok(Disposition::Upstream(Authorized { permit, route, head, bounds, upgrade }))
}

/// Checks what a route asks for, in this order: the client's address, the token, the rates, the size of the body, and
/// how many requests are in flight.
fn enforce(
    gate: &Gate,
    rules: &Rules,
    route: &Route,
    request: &RequestContext<'_>,
    target: Target<'_>,
    notes: &mut impl Notes,
) -> Result<(Permit, Option<Box<ExchangeLimits>>), Refusal> {
    let RequestContext { parts, client, .. } = *request;
    check_address(route, client)?;
    let permit = match &route.access {
        Access::Public => decide::public(),
        Access::Token(demand) => {
            let evidence = Evidence { certificate: client.certificate, target: Some(target) };
            gate.authorize_with(&parts.headers, demand, &evidence)
                .map_err(|denial| Refusal::new(gate.refuse(&denial), observe::of_denial(&denial)))?
        }
    };
    notes.permitted(&permit);
    let refused = |reason| move |response| Refusal::new(response, reason);
    rules.check_client(&permit).map_err(refused(Reason::ClientRate))?;
    if let Some(limiter) = &route.rate_limit {
        limiter.check().map_err(refused(Reason::RouteRate))?;
    }
    if route.max_body_size.is_some_and(|max| request.body_size.lower() > max) {
        let response = ForwardError::Body(BodyFault::TooLarge).to_response();
        return Err(Refusal { close: true, ..Refusal::new(response, Reason::BodyTooLarge) });
    }
    let mut bounds = None;
    if let Some(in_flight) = &route.in_flight {
        ExchangeLimits::of(&mut bounds).route =
            Some(in_flight.try_acquire().map_err(refused(Reason::RouteBusy))?);
    }
    if let Some(in_flight) = &route.upstream.in_flight {
        let bounds = ExchangeLimits::of(&mut bounds);
        match in_flight.acquire_or_queue().map_err(refused(Reason::UpstreamBusy))? {
            Admission::Granted(permit) => bounds.upstream = Some(permit),
            Admission::Queued(ticket) => bounds.ticket = Some(ticket),
        }
    }
    Ok((permit, bounds))
}
/// Refuses what comes from where the route takes nothing from, before its token is looked at.
fn check_address(route: &Route, client: ClientConnection<'_>) -> Result<(), Refusal> {
    match &route.addresses {
        Some(addresses) if !addresses.allows(client.peer) => {
            let detail = "this resource takes no requests from this address";
            Err(Refusal::new(response::problem(StatusCode::FORBIDDEN, detail), Reason::Address))
        }
        _ => Ok(()),
    }
}
