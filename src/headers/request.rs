//! A request's headers on their way upstream.

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, FORWARDED, HOST, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderName, Version};

use super::class::Class;
use super::connection::Nominated;
use super::field::Field;
use super::list::elements;
use super::outgoing::{ClientAuthorization, Framing, Outgoing, Proto};
use super::sink::HeaderSink;
use super::view::RequestView;
use super::{REQUEST_ID, via};
use crate::oauth::bearer::carries_issued_token;

/// Who the client is.
pub(crate) static CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
/// What its token allows.
pub(crate) static CLIENT_SCOPE: HeaderName = HeaderName::from_static("x-client-scope");

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What was met on the way through the headers, for what is said behind them.
#[derive(Debug, Default)]
struct Seen<'a> {
    length: bool,
    chunked: bool,
    host: Option<&'a [u8]>,
    forwarded: bool,
    forwarded_for: bool,
    forwarded_host: bool,
    forwarded_proto: bool,
    te_trailers: bool,
}

/// Hands each header that goes upstream to `sink`, the client's first and then what the gateway says, and returns how
/// the body behind them is framed.
///
/// The client's headers are read and not changed. `Content-Length` goes on as it came: whether it may was decided before.
pub(crate) fn for_upstream(
    request: &impl RequestView,
    outgoing: &Outgoing<'_>,
    sink: &mut impl HeaderSink,
) -> Framing {
    let nominated = Nominated::of(request.values(Class::Connection));
    let authorization = match outgoing.authorization {
        ClientAuthorization::Remove => false,
        ClientAuthorization::RemoveOurs => !request.values(Class::Authorization).any(carries_issued_token),
        ClientAuthorization::Forward => true,
    };
    let rules = outgoing.rules;
    let removes = |name: &[u8]| rules.is_some_and(|rules| rules.removes(name));
    let trusted = outgoing.peer_is_trusted;
    let host = outgoing.upstream_host.or(outgoing.authority);

    if let Some(host) = host.filter(|_| !outgoing.upstream_http2) {
        sink.add(&HOST, host);
    }
    let cookies = if outgoing.version == Version::HTTP_2 && !outgoing.upstream_http2 {
        joined_cookies(request).filter(|_| !removes(COOKIE.as_str().as_bytes()))
    } else {
        None
    };
    let mut seen = Seen::default();
    for field in request.fields() {
        let Field { class, disguised, name, value, .. } = field;
        let goes_on = if class.is_plain() {
            !(nominated.contains(name)
                || class == Class::RequestId && outgoing.request_id.is_some()
                || removes(name))
                && (outgoing.proof || class != Class::Dpop || disguised)
                && (cookies.is_none() || class != Class::Cookie)
        } else if disguised {
            false
        } else {
            match class {
                Class::Authorization => authorization && !removes(AUTHORIZATION.as_str().as_bytes()),
                Class::ContentLength => {
                    seen.length = true;
                    true
                }
                Class::Host => {
                    seen.host = Some(value);
                    host.is_none() && !outgoing.upstream_http2
                }
                Class::Forwarded => {
                    seen.forwarded = true;
                    false
                }
                Class::ForwardedFor => {
                    seen.forwarded_for = true;
                    false
                }
                Class::ForwardedHost => {
                    seen.forwarded_host |= trusted;
                    trusted
                }
                Class::ForwardedProto => {
                    seen.forwarded_proto |= trusted;
                    trusted
                }
                // Another prefix is put behind it.
                Class::ForwardedPrefix => trusted && outgoing.prefix.is_none(),
                Class::Te => {
                    seen.te_trailers |=
                        elements(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
                    false
                }
                Class::TransferEncoding => {
                    seen.chunked = true;
                    false
                }
                Class::Trailer | Class::Via => true,
                Class::Forwarding => trusted,
                _ => false,
            }
        };
        if goes_on {
            sink.keep(&field);
        }
    }

    let mut say = |name: &HeaderName, value: Option<&[u8]>| {
        if let Some(value) = value {
            sink.add(name, value);
        }
    };
    say(&COOKIE, cookies.as_deref());
    match rules {
        None => {
            say(&CLIENT_ID, outgoing.client_id);
            say(&CLIENT_SCOPE, outgoing.client_scope);
        }
        Some(rules) => {
            say(rules.client_id.name(&CLIENT_ID), outgoing.client_id.filter(|_| rules.client_id.is_sent()));
            say(rules.scope.name(&CLIENT_SCOPE), outgoing.client_scope.filter(|_| rules.scope.is_sent()));
            if let Some(prefix) = outgoing.prefix {
                say(&FORWARDED_PREFIX, Some(&with_prefix(request, trusted, prefix)));
            }
            for (name, value) in &rules.set {
                say(name, Some(value.as_bytes()));
            }
        }
    }
    say(&REQUEST_ID, outgoing.request_id);
    if trusted && seen.forwarded_for {
        say(&FORWARDED_FOR, Some(&with_address(request, outgoing.peer)));
    } else {
        say(&FORWARDED_FOR, Some(outgoing.peer));
    }
    if trusted && seen.forwarded {
        say(&FORWARDED, Some(&with_element(request, outgoing)));
    }
    if !seen.forwarded_proto {
        say(
            &FORWARDED_PROTO,
            Some(match outgoing.proto {
                Proto::Http => b"http",
                Proto::Https => b"https",
            }),
        );
    }
    if !seen.forwarded_host {
        say(&FORWARDED_HOST, outgoing.authority.or(seen.host));
    }
    // RFC 9110 §7.6.3: behind those of the proxies before us.
    say(&VIA, Some(via(outgoing.version)));
    if outgoing.upstream_http2 {
        // gRPC servers ask for it (RFC 9113 §8.2.2 allows this value alone).
        say(&TE, seen.te_trailers.then_some(b"trailers"));
        return Framing::Unframed;
    }
    if outgoing.upgrade.is_some() {
        say(&UPGRADE, outgoing.upgrade);
        say(&CONNECTION, Some(b"upgrade"));
    }
    match (seen.chunked, seen.length) {
        (false, true) => Framing::Length,
        (false, false) if !outgoing.streamed_body => Framing::Unframed,
        // In our own spelling: a server that takes none but `chunked` would read the body as requests.
        _ => {
            say(&TRANSFER_ENCODING, Some(b"chunked"));
            Framing::Chunked
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
