//! Authorizes requests: one function decides for the pipeline and for `tollgate explain`.

mod enforce;
mod head;
mod host;
pub(super) mod judge;

use http::{HeaderValue, Method, StatusCode};

use self::enforce::{Enforced, check_address, check_rate_outside_of_routes, enforce};
use self::head::outgoing;
pub(super) use self::host::host_of;
use super::cors;
use super::forward::outbound::Head;
use super::observer::RequestObserver;
use super::refusal::Refusal;
use super::request_context::RequestContext;
use super::rules::Rules;
use super::tunnel;
use crate::gate::question::Question;
use crate::gate::{Endpoint, Gate};
use crate::headers::{Class, Outgoing, RequestView, authenticates_connection};
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::evidence::Target;
use crate::response;
use crate::route::host::LastHost;
use crate::route::path;
use crate::route::table::Match;
use crate::telemetry::Reason;

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
/// route (see [`enforce`](enforce::enforce)). The caller has already checked the framing of the body by the rules of its
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
    let host = host_of(request, last_host).map_err(|error| Refusal::bad_request(error.public_text()))?;
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
        None => {
            (head::untransformed(route, request, host.as_str(), path.as_str(), &outgoing, written)?, None)
        }
        Some(transform) => {
            let head =
                head::transformed(transform, route, context, (&host, path.as_str()), outgoing, written)?;
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
