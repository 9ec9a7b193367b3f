//! The head of a request as it goes upstream.

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::super::access::Access;
use super::super::forward::http2;
use super::super::forward::outbound::Head;
use super::super::observer::RequestObserver;
use super::super::refusal::Refusal;
use super::super::request_context::RequestContext;
use super::super::route::Route;
use super::super::rules::Rules;
use super::super::transform::Transform;
use crate::headers::{AppliedRules, Framing, Outgoing, Proto, RequestView};
use crate::oauth::decide::{Identity, Lease};
use crate::route::host::Host;
use crate::route::path::PathError;

/// Returns what the gateway adds to a request that is forwarded. This is the only place where the client's
/// identity is added.
pub(super) fn outgoing<'a, V: RequestView>(
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
pub(super) fn untransformed(
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
            head.map_err(|_| Refusal::bad_request("the request target is not well-formed"))?,
        )));
    }
    Ok(Head::Http1 { chunked: write_head(request, path, outgoing, out) == Framing::Chunked })
}

/// Builds the head to send upstream on a route with a [`Transform`].
#[cold]
pub(super) fn transformed<V: RequestView>(
    transform: &Transform,
    route: &Route,
    context: &RequestContext<'_, V>,
    (host, path): (&Host<'_>, &str),
    outgoing: Outgoing<'_>,
    out: &mut Vec<u8>,
) -> Result<Head, Refusal> {
    /// The end of a head whose body is chunked.
    const CHUNKED: &[u8] = b"transfer-encoding: chunked\r\n\r\n";
    let sent =
        transform.path(path).ok_or_else(|| Refusal::bad_request(PathError::Ambiguous.public_text()))?;
    let prefix = transform.rewrite.removed(path).map(str::as_bytes);
    let fixed = transform.host.as_deref();
    let outgoing =
        Outgoing { prefix, upstream_host: fixed.map(str::as_bytes).or(outgoing.upstream_host), ..outgoing };
    let head = untransformed(route, context.request, fixed.unwrap_or(host.as_str()), &sent, &outgoing, out)?;
    if !transform.buffer || context.bodiless {
        return Ok(head);
    }
    if let Some(rest) = out.strip_suffix(CHUNKED) {
        // `Content-Length` is added here once the body has been read.
        out.truncate(rest.len());
    }
    Ok(Head::Buffered)
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

/// Returns what a header with a JWT contains. Only `Authorization` names a scheme.
fn jwt_value<'a>(header: &HeaderName, authorization: &'a str) -> &'a [u8] {
    let jwt = authorization.strip_prefix("Bearer ").filter(|_| *header != AUTHORIZATION);
    jwt.unwrap_or(authorization).as_bytes()
}
