//! A request's headers on their way upstream.

use http::header::{AUTHORIZATION, CONNECTION, HOST, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::class::{Class, same_variable};
use super::connection::remove_connection;
use super::via;
use crate::oauth::bearer::carries_issued_token;

/// Who the client is.
pub static CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
/// What its token allows.
pub static CLIENT_SCOPE: HeaderName = HeaderName::from_static("x-client-scope");

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What the gateway has to say about a request that goes upstream. All values are made beforehand: setting one
/// costs a reference count.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// `X-Client-Id`; none on a public route.
    pub client_id: Option<&'a HeaderValue>,
    /// `X-Client-Scope`; none on a public route.
    pub client_scope: Option<&'a HeaderValue>,
    /// What becomes of the client's `Authorization`.
    pub authorization: ClientAuthorization,
    /// The header that the gateway authenticates itself to the upstream with.
    pub credential: Option<(&'a HeaderName, &'a HeaderValue)>,
    /// The address the connection comes from, without port, and without brackets where it is IPv6.
    pub peer: &'a HeaderValue,
    /// Whether that is a proxy whose forwarding headers are to be believed.
    pub peer_is_trusted: bool,
    /// How the client reached the gateway.
    pub proto: Proto,
    /// The version the request came in.
    pub version: Version,
    /// The authority of the request target, for HTTP/2 and absolute-form; else the `Host` header is it.
    pub authority: Option<&'a HeaderValue>,
    /// A `Host` for the upstream; without, it gets the one the client asked for.
    pub upstream_host: Option<&'a HeaderValue>,
    /// Whether it goes upstream as HTTP/2. `Host` goes then: the authority belongs into the request's URI.
    pub upstream_http2: bool,
    /// The protocol of an upgrade that is to be passed on, like `websocket`.
    pub upgrade: Option<&'a HeaderValue>,
    /// Whether there is a body whose length nobody said, as in HTTP/2. It goes upstream chunked; without being told,
    /// hyper drops that of a GET.
    pub streamed_body: bool,
}

/// What becomes of the client's `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuthorization {
    /// Removed.
    #[default]
    Remove,
    /// Removed if it carries one of our tokens, else passed on: it may be meant for the upstream. For public routes.
    RemoveOurs,
    /// Passed on.
    Forward,
}

/// The scheme the client used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proto {
    /// Without TLS.
    Http,
    /// With TLS, here or at a terminator before.
    Https,
}

impl<'a> Outgoing<'a> {
    /// A request of HTTP/1.1 from an untrusted peer, on a public route, to an HTTP/1.1 upstream.
    #[must_use]
    pub fn new(peer: &'a HeaderValue, proto: Proto) -> Self {
        Self {
            client_id: None,
            client_scope: None,
            authorization: ClientAuthorization::Remove,
            credential: None,
            peer,
            peer_is_trusted: false,
            proto,
            version: Version::HTTP_11,
            authority: None,
            upstream_host: None,
            upstream_http2: false,
            upgrade: None,
            streamed_body: false,
        }
    }
}

/// What a look at the headers found.
#[derive(Debug, Default)]
struct Seen {
    authorization: bool,
    our_token: bool,
    client_id: bool,
    client_scope: bool,
    connection: bool,
    length: bool,
    host: Option<HeaderValue>,
    forwarded_for: bool,
    forwarded_host: bool,
    forwarded_proto: bool,
    chunked: bool,
    te: bool,
    te_trailers: bool,
    upgrade: bool,
    via: bool,
    /// Rare: what is to go under a name that has no flag above.
    unwanted: Vec<HeaderName>,
}

/// Turns the headers of a request that passed [`check_request`](super::check_request) into those the upstream gets.
///
/// What the client sent under a name of the gateway's is gone, in any spelling a server might take for it (`_`, or
/// any other punctuation, for `-`), repeated, or nominated by `Connection`; nothing the client says can remove what
/// the gateway sets. `Expect` goes too, as the gateway asks for the body itself. `Trailer` stays: hyper sends no
/// trailer that it does not announce.
pub fn sanitise_request(headers: &mut HeaderMap, outgoing: &Outgoing<'_>) {
    // At most what is set below: growing more than once would hash everything again. The limits on the wire keep a
    // map far from the 32,768 entries at which it would panic.
    headers.reserve(8);
    let seen = look(headers, outgoing);

    // First everything goes that has to, then what the gateway says is set.
    if seen.connection {
        remove_connection(headers);
    }
    for name in &seen.unwanted {
        headers.remove(name);
    }
    let forward = match outgoing.authorization {
        ClientAuthorization::Remove => false,
        ClientAuthorization::RemoveOurs => !seen.our_token,
        ClientAuthorization::Forward => true,
    };
    if seen.authorization && !forward {
        headers.remove(AUTHORIZATION);
    }

    set_or_remove(headers, &CLIENT_ID, outgoing.client_id, seen.client_id);
    set_or_remove(headers, &CLIENT_SCOPE, outgoing.client_scope, seen.client_scope);
    set_connection(headers, outgoing, &seen);
    set_forwarding(headers, outgoing, seen);
    if let Some((name, value)) = outgoing.credential {
        headers.insert(name, value.clone());
    }
}

fn look(headers: &HeaderMap, outgoing: &Outgoing<'_>) -> Seen {
    let mut seen = Seen::default();
    for (name, value) in headers {
        let (class, disguised) = Class::of(name);
        if disguised && class != Class::Other {
            seen.unwanted.push(name.clone());
            continue;
        }
        match class {
            Class::Other => {
                if outgoing.credential.is_some_and(|(ours, _)| same_variable(ours, name)) {
                    seen.unwanted.push(name.clone());
                }
            }
            Class::Authorization => {
                seen.authorization = true;
                seen.our_token |= carries_issued_token(value);
            }
            Class::ClientId => seen.client_id = true,
            Class::ClientScope => seen.client_scope = true,
            Class::Connection => seen.connection = true,
            Class::ContentLength => seen.length = true,
            Class::Host => seen.host = Some(value.clone()),
            Class::ForwardedFor => seen.forwarded_for = true,
            Class::ForwardedHost => seen.forwarded_host = true,
            Class::ForwardedProto => seen.forwarded_proto = true,
            Class::Te => {
                seen.te = true;
                let mut codings = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                seen.te_trailers |= codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
            }
            Class::Trailer => {}
            Class::TransferEncoding => seen.chunked = true,
            Class::Upgrade => seen.upgrade = true,
            Class::Via => seen.via = true,
            Class::Forwarding if outgoing.peer_is_trusted => {}
            Class::Forwarding | Class::Hop | Class::Override | Class::Expect => {
                seen.unwanted.push(name.clone())
            }
        }
    }
    seen
}

/// What concerns the connection to the upstream: `Host`, framing, `TE`, upgrades.
fn set_connection(headers: &mut HeaderMap, outgoing: &Outgoing<'_>, seen: &Seen) {
    if outgoing.upstream_http2 {
        headers.remove(HOST);
        headers.remove(TRANSFER_ENCODING);
        headers.remove(UPGRADE);
        // gRPC servers ask for it (RFC 9113 §8.2.2 allows this value alone).
        let trailers = HeaderValue::from_static("trailers");
        set_or_remove(headers, &TE, seen.te_trailers.then_some(&trailers), seen.te);
        return;
    }
    if let Some(host) = outgoing.upstream_host.or(outgoing.authority) {
        headers.insert(HOST, host.clone());
    }
    if outgoing.streamed_body && !seen.chunked && !seen.length {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if seen.te {
        headers.remove(TE);
    }
    set_or_remove(headers, &UPGRADE, outgoing.upgrade, seen.upgrade);
    if outgoing.upgrade.is_some() {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Where the request came from and through whom.
fn set_forwarding(headers: &mut HeaderMap, outgoing: &Outgoing<'_>, seen: Seen) {
    let trusted = outgoing.peer_is_trusted;
    if !(trusted && seen.forwarded_for && append_address(headers, outgoing.peer)) {
        headers.insert(&FORWARDED_FOR, outgoing.peer.clone());
    }
    if !(trusted && seen.forwarded_proto) {
        let proto = match outgoing.proto {
            Proto::Http => "http",
            Proto::Https => "https",
        };
        headers.insert(&FORWARDED_PROTO, HeaderValue::from_static(proto));
    }
    if !(trusted && seen.forwarded_host) {
        match outgoing.authority.cloned().or(seen.host) {
            Some(host) => {
                headers.insert(&FORWARDED_HOST, host);
            }
            None if seen.forwarded_host => {
                headers.remove(&FORWARDED_HOST);
            }
            None => {}
        }
    }
    // RFC 9110 §7.6.3: behind those of the proxies before us.
    if seen.via {
        headers.append(VIA, via(outgoing.version));
    } else {
        headers.insert(VIA, via(outgoing.version));
    }
}

/// Puts `peer` behind the addresses there are, all on one line: there are servers that read the first line alone, and
/// servers that read the last.
fn append_address(headers: &mut HeaderMap, peer: &HeaderValue) -> bool {
    let mut list = Vec::new();
    for value in headers.get_all(&FORWARDED_FOR) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer.as_bytes());
    let Ok(list) = HeaderValue::from_maybe_shared(bytes::Bytes::from(list)) else {
        return false;
    };
    headers.insert(&FORWARDED_FOR, list);
    true
}

fn set_or_remove(
    headers: &mut HeaderMap,
    name: &'static HeaderName,
    value: Option<&HeaderValue>,
    seen: bool,
) {
    match value {
        Some(value) => {
            headers.insert(name, value.clone());
        }
        None if seen => {
            headers.remove(name);
        }
        None => {}
    }
}
