//! A request's headers on their way upstream.

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, FORWARDED, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Version};

use super::class::{Class, ClassSet, PLAIN};
use super::connection::Nominated;
use super::list::elements;
use super::outgoing::{ClientAuthorization, Framing, Outgoing, Proto};
use super::sink::{HeaderSink, OwnHeader};
use super::view::RequestView;
use super::{REQUEST_ID, VIA, via};
use crate::oauth::bearer::carries_issued_token;

static CLIENT_ID: OwnHeader = OwnHeader::new(HeaderName::from_static("x-client-id"), "x-client-id: ");
static CLIENT_SCOPE: OwnHeader =
    OwnHeader::new(HeaderName::from_static("x-client-scope"), "x-client-scope: ");
static FORWARDED_FOR: OwnHeader =
    OwnHeader::new(HeaderName::from_static("x-forwarded-for"), "x-forwarded-for: ");
static FORWARDED_PROTO: OwnHeader =
    OwnHeader::new(HeaderName::from_static("x-forwarded-proto"), "x-forwarded-proto: ");
static FORWARDED_HOST: OwnHeader =
    OwnHeader::new(HeaderName::from_static("x-forwarded-host"), "x-forwarded-host: ");

static FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What goes on besides the plain headers, whoever sends it and wherever it goes.
const ALWAYS: ClassSet =
    PLAIN.with(Class::ContentLength, true).with(Class::Trailer, true).with(Class::Via, true);

/// Hands each header that goes upstream to `sink`, the client's first and then what the gateway says, and returns how
/// the body behind them is framed.
///
/// The client's headers are read and not changed. `Content-Length` goes on as it came: whether it may was decided before.
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
        let removes = |rules: &super::RequestRules| rules.removes(COOKIE.as_str().as_bytes());
        joined_cookies(request).filter(|_| !outgoing.rules.is_some_and(removes))
    } else {
        None
    };
    keep_clients(request, outgoing, cookies.is_some(), sink);

    if let Some(cookies) = &cookies {
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
        Some(rules) => {
            if let Some(id) = outgoing.client_id.filter(|_| rules.client_id.is_sent()) {
                sink.add(rules.client_id.name(&CLIENT_ID.name), id);
            }
            if let Some(scope) = outgoing.client_scope.filter(|_| rules.scope.is_sent()) {
                sink.add(rules.scope.name(&CLIENT_SCOPE.name), scope);
            }
            if let Some(prefix) = outgoing.prefix {
                sink.add(&FORWARDED_PREFIX, &with_prefix(request, trusted, prefix));
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
        let proto: &[u8] = match outgoing.proto {
            Proto::Http => b"http",
            Proto::Https => b"https",
        };
        sink.state(&FORWARDED_PROTO, proto);
    }
    if !(trusted && seen.has(Class::ForwardedHost))
        && let Some(host) = outgoing.authority.or_else(|| request.values(Class::Host).next())
    {
        sink.state(&FORWARDED_HOST, host);
    }
    // RFC 9110 §7.6.3: behind those of the proxies before us.
    sink.state(&VIA, via(outgoing.version));
    if outgoing.upstream_http2 {
        // gRPC servers ask for it (RFC 9113 §8.2.2 allows this value alone).
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
        // In our own spelling: a server that takes none but `chunked` would read the body as requests.
        _ => {
            sink.add(&TRANSFER_ENCODING, b"chunked");
            Framing::Chunked
        }
    }
}

/// Hands the client's headers that go upstream to `sink`. Nearly all requests are decided by the classes of their headers
/// alone. `joined` says that the cookies go as one.
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
    let removes = |name: &[u8]| outgoing.rules.is_some_and(|rules| rules.removes(name));
    let trusted = outgoing.peer_is_trusted;
    let names_host = outgoing.upstream_host.or(outgoing.authority).is_some() || outgoing.upstream_http2;
    // Those in another spelling are other headers, and go on only where servers could not take them for one that matters.
    let disguised = PLAIN.with(Class::RequestId, outgoing.request_id.is_none()).with(Class::Cookie, !joined);
    let kept = ALWAYS
        .with(Class::RequestId, outgoing.request_id.is_none())
        .with(Class::Cookie, !joined)
        .with(Class::Dpop, outgoing.proof)
        .with(Class::Host, !names_host)
        .with(Class::Authorization, authorization && !removes(AUTHORIZATION.as_str().as_bytes()))
        .with(Class::ForwardedHost, trusted)
        .with(Class::ForwardedProto, trusted)
        // Another prefix is put behind it.
        .with(Class::ForwardedPrefix, trusted && outgoing.prefix.is_none())
        .with(Class::Forwarding, trusted);
    let by_name = !nominated.is_empty() || outgoing.rules.is_some();
    for field in request.fields() {
        let classes = if field.disguised { disguised } else { kept };
        let removed_by_name =
            || field.class.is_plain() && (nominated.contains(field.name) || removes(field.name));
        if classes.has(field.class) && !(by_name && removed_by_name()) {
            sink.keep(&field);
        }
    }
}

/// All cookies as one, where there are several: HTTP/2 may split them over several fields (RFC 9113 §8.2.3), HTTP/1.1
/// knows one only.
fn joined_cookies(request: &impl RequestView) -> Option<Vec<u8>> {
    let mut values = request.values(Class::Cookie);
    let (first, second) = (values.next()?, values.next()?);
    let mut joined = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(value);
    }
    Some(joined)
}

/// The addresses there are with `peer` behind them, all on one line: there are servers that read the first line alone,
/// and servers that read the last.
fn with_address(request: &impl RequestView, peer: &[u8]) -> Vec<u8> {
    let mut list = Vec::new();
    for value in request.values(Class::ForwardedFor) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer);
    list
}

/// What trusted proxies have removed from the path, with what the gateway removes behind it: one path on one line.
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

/// The elements of `Forwarded` there are with our own behind them (RFC 7239 §4), all on one line. A client that sends
/// none gets none: `X-Forwarded-*` says it.
fn with_element(request: &impl RequestView, outgoing: &Outgoing<'_>) -> Vec<u8> {
    let mut list = Vec::new();
    for value in request.values(Class::Forwarded) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    let peer = outgoing.peer;
    list.extend_from_slice(b"for=");
    // RFC 7239 §6: an IPv6 address has brackets, and those need quotes.
    let (open, close): (&[u8], &[u8]) = if peer.contains(&b':') { (b"\"[", b"]\"") } else { (b"", b"") };
    list.extend([open, peer, close].concat());
    list.extend_from_slice(match outgoing.proto {
        Proto::Http => b";proto=http",
        Proto::Https => b";proto=https",
    });
    list
}
