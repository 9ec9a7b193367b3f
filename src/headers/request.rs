//! Selects the headers of a forwarded request.

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, FORWARDED, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Version};

use super::class::{Class, ClassSet, PLAIN};
use super::connection::Nominated;
use super::console_cookie::without_console_cookies;
use super::field::Field;
use super::list::elements;
use super::outgoing::{AppliedRules, ClientAuthorization, Framing, Outgoing, Proto};
use super::sink::{FixedHeader, HeaderSink, OwnHeader};
use super::view::RequestView;
use super::{REQUEST_ID, via};
use crate::oauth::bearer::carries_issued_token;

static CLIENT_ID: OwnHeader = OwnHeader::new(&CLIENT_ID_NAME, "x-client-id: ");
static CLIENT_SCOPE: OwnHeader = OwnHeader::new(&CLIENT_SCOPE_NAME, "x-client-scope: ");
static FORWARDED_FOR: OwnHeader = OwnHeader::new(&FORWARDED_FOR_NAME, "x-forwarded-for: ");
static FORWARDED_HOST: OwnHeader = OwnHeader::new(&FORWARDED_HOST_NAME, "x-forwarded-host: ");
static FORWARDED_HTTP: FixedHeader =
    FixedHeader::new(&FORWARDED_PROTO_NAME, "http", "x-forwarded-proto: http\r\n");
static FORWARDED_HTTPS: FixedHeader =
    FixedHeader::new(&FORWARDED_PROTO_NAME, "https", "x-forwarded-proto: https\r\n");

static CLIENT_ID_NAME: HeaderName = HeaderName::from_static("x-client-id");
static CLIENT_SCOPE_NAME: HeaderName = HeaderName::from_static("x-client-scope");
static FORWARDED_FOR_NAME: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_HOST_NAME: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_PROTO_NAME: HeaderName = HeaderName::from_static("x-forwarded-proto");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The classes that are always forwarded, in addition to plain headers.
const ALWAYS: ClassSet =
    NOT_COOKIES.with(Class::ContentLength, true).with(Class::Trailer, true).with(Class::Via, true);
/// The plain headers without cookies, which [`keep_cookies`] decides about.
const NOT_COOKIES: ClassSet = PLAIN.with(Class::Cookie, false);

/// Writes the headers of a forwarded request to `sink`: the client's headers, and then those of the gateway.
/// Returns how the body is framed.
///
/// The client's headers are not changed. `Content-Length` is forwarded as received: it has already been
/// checked.
pub(crate) fn for_upstream(
    request: &impl RequestView,
    outgoing: &Outgoing<'_>,
    sink: &mut impl HeaderSink,
) -> Framing {
    let seen = request.seen();
    let trusted = outgoing.peer_is_trusted;
    let host = outgoing.upstream_host.or(outgoing.authority);
    if let Some(host) = host.filter(|_| !outgoing.upstream_http2) {
        sink.add(&HOST, host);
    }
    let cookies = if outgoing.version == Version::HTTP_2 && !outgoing.upstream_http2 {
        let removes = |applied: AppliedRules<'_>| applied.rules.removes(COOKIE.as_str().as_bytes());
        joined_cookies(request).filter(|_| !outgoing.rules.is_some_and(removes))
    } else {
        None
    };
    keep_clients(request, outgoing, cookies.is_some(), sink);

    if let Some(cookies) = cookies.as_ref().filter(|cookies| !cookies.is_empty()) {
        sink.add(&COOKIE, cookies);
    }
    match outgoing.rules {
        None => {
            if let Some(id) = outgoing.client_id {
                sink.state(&CLIENT_ID, id);
            }
            if let Some(scope) = outgoing.client_scope {
                sink.state(&CLIENT_SCOPE, scope);
            }
        }
        Some(AppliedRules { rules, trace, jwt }) => {
            if let Some(id) = outgoing.client_id.filter(|_| rules.client_id.is_sent()) {
                sink.add(rules.client_id.name(CLIENT_ID.name), id);
            }
            if let Some(scope) = outgoing.client_scope.filter(|_| rules.scope.is_sent()) {
                sink.add(rules.scope.name(CLIENT_SCOPE.name), scope);
            }
            if let Some(prefix) = outgoing.prefix {
                sink.add(&FORWARDED_PREFIX, &with_prefix(request, trusted, prefix));
            }
            if let Some((name, jwt)) = jwt {
                sink.add(name, jwt);
            }
            if let Some((parent, state)) = trace {
                sink.add(&TRACEPARENT, parent);
                if let Some(state) = state {
                    sink.add(&TRACESTATE, state);
                }
            }
            for (name, value) in &rules.set {
                sink.add(name, value.as_bytes());
            }
        }
    }
    if let Some(id) = outgoing.request_id {
        sink.state(&REQUEST_ID, id);
    }
    if trusted && seen.has(Class::ForwardedFor) {
        sink.state(&FORWARDED_FOR, &with_address(request, outgoing.peer));
    } else {
        sink.state(&FORWARDED_FOR, outgoing.peer);
    }
    if trusted && seen.has(Class::Forwarded) {
        sink.add(&FORWARDED, &with_element(request, outgoing));
    }
    if !(trusted && seen.has(Class::ForwardedProto)) {
        match outgoing.proto {
            Proto::Http => sink.state_fixed(&FORWARDED_HTTP),
            Proto::Https => sink.state_fixed(&FORWARDED_HTTPS),
        }
    }
    if !(trusted && seen.has(Class::ForwardedHost))
        && let Some(host) = outgoing.authority.or_else(|| request.values(Class::Host).next())
    {
        sink.state(&FORWARDED_HOST, host);
    }
    // RFC 9110 §7.6.3: after the entries of earlier proxies.
    sink.state_fixed(via(outgoing.version));
    if outgoing.upstream_http2 {
        // gRPC servers require it (RFC 9113 §8.2.2 allows only this value).
        let mut codings = request.values(Class::Te).flat_map(elements);
        if codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers")) {
            sink.add(&TE, b"trailers");
        }
        return Framing::Unframed;
    }
    if let Some(protocol) = outgoing.upgrade {
        sink.add(&UPGRADE, protocol);
        sink.add(&CONNECTION, b"upgrade");
    }
    match (seen.has(Class::TransferEncoding), seen.has(Class::ContentLength)) {
        (false, true) => Framing::Length,
        (false, false) if !outgoing.streamed_body => Framing::Unframed,
        // Written in this exact form: a server that accepts only `chunked` would otherwise read the body as
        // requests.
        _ => {
            sink.add(&TRANSFER_ENCODING, b"chunked");
            Framing::Chunked
        }
    }
}

/// Writes the client's headers that are forwarded to `sink`. For nearly all requests, the classes of the
/// headers decide alone. With `joined`, the cookies are written as one header.
#[inline]
fn keep_clients(
    request: &impl RequestView,
    outgoing: &Outgoing<'_>,
    joined: bool,
    sink: &mut impl HeaderSink,
) {
    let nominated = Nominated::of(request.values(Class::Connection));
    let authorization = match outgoing.authorization {
        ClientAuthorization::Remove => false,
        ClientAuthorization::RemoveOurs => !request.values(Class::Authorization).any(carries_issued_token),
        ClientAuthorization::Forward => true,
    };
    let removes = |name: &[u8]| outgoing.rules.is_some_and(|applied| applied.rules.removes(name));
    let trusted = outgoing.peer_is_trusted;
    let names_host = outgoing.upstream_host.or(outgoing.authority).is_some() || outgoing.upstream_http2;
    // Another spelling is another header. It is forwarded only if no server could read it as a header that
    // matters.
    let disguised = NOT_COOKIES.with(Class::RequestId, outgoing.request_id.is_none());
    let kept = ALWAYS
        .with(Class::RequestId, outgoing.request_id.is_none())
        .with(Class::Dpop, outgoing.proof)
        .with(Class::Host, !names_host)
        .with(Class::Authorization, authorization && !removes(AUTHORIZATION.as_str().as_bytes()))
        .with(Class::ForwardedHost, trusted)
        .with(Class::ForwardedProto, trusted)
        // The gateway's prefix is appended to it.
        .with(Class::ForwardedPrefix, trusted && outgoing.prefix.is_none())
        .with(Class::Forwarding, trusted);
    let by_name = !nominated.is_empty() || outgoing.rules.is_some();
    for field in request.fields() {
        let classes = if field.disguised { disguised } else { kept };
        let removed_by_name =
            || field.class.is_plain() && (nominated.contains(field.name) || removes(field.name));
        if classes.has(field.class) {
            if !(by_name && removed_by_name()) {
                sink.keep(&field);
            }
        } else if field.class == Class::Cookie && !joined && !(by_name && removed_by_name()) {
            keep_cookies(&field, sink);
        }
    }
}

/// Hands cookies to `sink`, without those of the console's sessions.
#[inline(never)]
fn keep_cookies(field: &Field<'_>, sink: &mut impl HeaderSink) {
    match without_console_cookies(field.value) {
        None => sink.keep(field),
        Some(rest) if rest.is_empty() => {}
        Some(rest) => sink.add(&COOKIE, &rest),
    }
}

/// Joins several cookie fields: HTTP/2 may split cookies over several fields (RFC 9113 §8.2.3), but HTTP/1.1
/// allows only one.
fn joined_cookies(request: &impl RequestView) -> Option<Vec<u8>> {
    let mut values = request.values(Class::Cookie);
    let (first, second) = (values.next()?, values.next()?);
    let mut joined = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(value);
    }
    Some(without_console_cookies(&joined).unwrap_or(joined))
}

/// Returns the existing addresses followed by `peer`, on one line: some servers read only the first line, and
/// some only the last.
fn with_address(request: &impl RequestView, peer: &[u8]) -> Vec<u8> {
    let mut list = Vec::new();
    for value in request.values(Class::ForwardedFor) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer);
    list
}

/// Returns the prefix that trusted proxies have removed from the path, followed by the prefix that the
/// gateway removes, on one line.
fn with_prefix(request: &impl RequestView, trusted: bool, prefix: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    if trusted {
        for part in request.values(Class::ForwardedPrefix).flat_map(elements) {
            all.extend_from_slice(part.strip_suffix(b"/").unwrap_or(part));
        }
    }
    all.extend_from_slice(prefix);
    all
}

/// Returns the existing `Forwarded` elements followed by the gateway's own (RFC 7239 §4), on one line. If the
/// client sent none, none is added: `X-Forwarded-*` has the same information.
fn with_element(request: &impl RequestView, outgoing: &Outgoing<'_>) -> Vec<u8> {
    let mut list = Vec::new();
    for value in request.values(Class::Forwarded) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    let peer = outgoing.peer;
    list.extend_from_slice(b"for=");
    // RFC 7239 §6: an IPv6 address has brackets, which must be quoted.
    let (open, close): (&[u8], &[u8]) = if peer.contains(&b':') { (b"\"[", b"]\"") } else { (b"", b"") };
    list.extend([open, peer, close].concat());
    list.extend_from_slice(match outgoing.proto {
        Proto::Http => b";proto=http",
        Proto::Https => b";proto=https",
    });
    list
}
