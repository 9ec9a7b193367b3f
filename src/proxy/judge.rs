//! Everything that is decided about a request before it moves.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::body::BodyFault;
use super::cors;
use super::forward::{ForwardError, Head};
use super::h1::RequestHead;
use super::h2;
use super::headers::{self, ClientAuthorization, Outgoing, Proto};
use super::in_flight::Entry;
use super::limits::Bounds;
use super::observe::{self, Watch};
use super::pipeline::{Access, ClientConnection, Proxy, Route};
use super::refusal::Refusal;
use super::rules::Rules;
use super::tunnel;
use crate::answer;
use crate::gate::Endpoint;
use crate::oauth::decide::{self, Permit};
use crate::oauth::evidence::{Evidence, Target};
use crate::route::host;
use crate::route::path::{self, PathError};
use crate::route::strip::strip_prefix;
use crate::route::table::Match;
use crate::telemetry::Reason;

/// A request that may go upstream, with the head it goes with.
pub(super) struct Passed {
    pub(super) permit: Permit,
    pub(super) route: Arc<Route>,
    pub(super) head: Head,
    pub(super) bounds: Option<Box<Bounds>>,
    /// The client's side of an upgrade that was asked for.
    pub(super) upgrade: Option<OnUpgrade>,
}

/// Where a request goes once its head is understood.
pub(super) enum Verdict {
    Upstream(Passed),
    Endpoint(Endpoint),
}

impl Proxy {
    /// Everything that is decided about a request before it moves, in one go and without waiting.
    pub(super) fn judge(
        &self,
        parts: &mut Parts,
        body: &Incoming,
        client: ClientConnection<'_>,
        watch: &mut Watch,
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
            let response = answer::problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail);
            return Err(Refusal::new(response, Reason::Ambiguous));
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

        watch.names(host.as_str(), path.as_str());

        if let Some(endpoint) = self.gate.endpoint(path.as_str()) {
            return Ok(Verdict::Endpoint(endpoint));
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
                let response = answer::problem(StatusCode::NOT_FOUND, "there is nothing at this path");
                return Err(Refusal::new(response, Reason::NoRoute));
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
            .admit(&rules, &route, parts, target, body, client, watch)
            .map_err(|refusal| refusal.of(&route, parts))?;
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
        outgoing.request_id = watch.request_id();
        outgoing.streamed_body = !body.is_end_stream() && body.size_hint().exact().is_none();
        outgoing.proof = !permit.is_bound_to_key() || route.forward_token;
        let path = strip_prefix(path.as_str(), route.strip_prefix.as_deref())
            .ok_or_else(|| ambiguous(PathError::Ambiguous.public_text()))?;
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
    #[expect(clippy::too_many_arguments, reason = "all that a route may ask about, each of its own kind")]
    fn admit(
        &self,
        rules: &Rules,
        route: &Route,
        parts: &Parts,
        target: Target<'_>,
        body: &Incoming,
        client: ClientConnection<'_>,
        watch: &mut Watch,
    ) -> Result<(Permit, Option<Box<Bounds>>), Refusal> {
        check_address(route, client)?;
        let permit = match &route.access {
            Access::Public => decide::public(),
            Access::Token(demand) => {
                let evidence = Evidence { certificate: client.certificate, target: Some(target) };
                self.gate
                    .authorize_with(&parts.headers, demand, &evidence)
                    .map_err(|denial| Refusal::new(self.gate.refuse(&denial), observe::of_denial(&denial)))?
            }
        };
        watch.permitted(&permit);
        let refused = |reason| move |response| Refusal::new(response, reason);
        rules.check_client(&permit).map_err(refused(Reason::ClientRate))?;
        if let Some(limiter) = &route.rate_limit {
            limiter.check().map_err(refused(Reason::RouteRate))?;
        }
        if route.max_body_size.is_some_and(|max| body.size_hint().lower() > max) {
            let response = ForwardError::Body(BodyFault::TooLarge).to_response();
            return Err(Refusal { close: true, ..Refusal::new(response, Reason::BodyTooLarge) });
        }
        let mut bounds = None;
        if let Some(in_flight) = &route.in_flight {
            Bounds::of(&mut bounds).route = Some(in_flight.enter().map_err(refused(Reason::RouteBusy))?);
        }
        if let Some(in_flight) = &route.upstream.in_flight {
            let bounds = Bounds::of(&mut bounds);
            match in_flight.enter_or_wait().map_err(refused(Reason::UpstreamBusy))? {
                Entry::In(slot) => bounds.upstream = Some(slot),
                Entry::Waiting(ticket) => bounds.ticket = Some(ticket),
            }
        }
        Ok((permit, bounds))
    }
}

/// Refuses what comes from where the route takes nothing from, before its token is looked at.
fn check_address(route: &Route, client: ClientConnection<'_>) -> Result<(), Refusal> {
    match &route.addresses {
        Some(addresses) if !addresses.take(client.peer) => {
            let detail = "this resource takes no requests from this address";
            Err(Refusal::new(answer::problem(StatusCode::FORBIDDEN, detail), Reason::Address))
        }
        _ => Ok(()),
    }
}
