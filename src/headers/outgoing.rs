//! What the gateway adds to a request that goes upstream, and what it removes from it.

use http::Version;

use super::rules::RequestRules;

/// What the gateway has to say about a request that goes upstream. Everything is borrowed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(crate) struct Outgoing<'a> {
    /// `X-Client-Id`; none on a public route.
    pub client_id: Option<&'a [u8]>,
    /// `X-Client-Scope`; none on a public route.
    pub client_scope: Option<&'a [u8]>,
    /// `X-Request-Id`; none where requests get none, and what the client says under that name goes on.
    pub request_id: Option<&'a [u8]>,
    /// What becomes of the client's `Authorization`.
    pub authorization: ClientAuthorization,
    /// What the route and its upstream change in the headers, credentials included.
    pub rules: Option<&'a RequestRules>,
    /// What is removed from the front of the path; said only where `rules` say so.
    pub prefix: Option<&'a [u8]>,
    /// The address the connection comes from, without port, and without brackets where it is IPv6.
    pub peer: &'a [u8],
    /// Whether that is a proxy whose forwarding headers are to be believed.
    pub peer_is_trusted: bool,
    /// How the client reached the gateway.
    pub proto: Proto,
    /// The version the request came in.
    pub version: Version,
    /// The authority of the request target, for HTTP/2 and absolute-form; else the `Host` header is it.
    pub authority: Option<&'a [u8]>,
    /// A `Host` for the upstream; without, it gets the one the client asked for.
    pub upstream_host: Option<&'a [u8]>,
    /// Whether it goes upstream as HTTP/2. `Host` goes then: the authority belongs into the request's URI.
    pub upstream_http2: bool,
    /// The protocol of an upgrade that is to be passed on, like `websocket`.
    pub upgrade: Option<&'a [u8]>,
    /// Whether there is a body whose length nobody said, as in HTTP/2. It goes upstream chunked.
    pub streamed_body: bool,
    /// Whether the client's DPoP proof goes on: it belongs to the token that it is of.
    pub proof: bool,
}

/// What becomes of the client's `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ClientAuthorization {
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
pub(crate) enum Proto {
    /// Without TLS.
    Http,
    /// With TLS, here or at a terminator before.
    Https,
}

impl<'a> Outgoing<'a> {
    /// A request of HTTP/1.1 from an untrusted peer, on a public route, to an HTTP/1.1 upstream.
    #[must_use]
    pub(crate) fn new(peer: &'a [u8], proto: Proto) -> Self {
        Self {
            client_id: None,
            client_scope: None,
            request_id: None,
            authorization: ClientAuthorization::Remove,
            rules: None,
            prefix: None,
            peer,
            peer_is_trusted: false,
            proto,
            version: Version::HTTP_11,
            authority: None,
            upstream_host: None,
            upstream_http2: false,
            upgrade: None,
            streamed_body: false,
            proof: true,
        }
    }
}

/// How the body of a request is framed on its way upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none, or the protocol frames it itself.
    Unframed,
    /// By its `Content-Length`.
    Length,
    /// In chunks.
    Chunked,
}
