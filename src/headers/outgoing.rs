//! What the gateway adds to a forwarded request, and what it removes from it.

use http::{HeaderName, Version};

use super::rules::RequestRules;

/// What the gateway adds to and removes from one forwarded request. Everything is borrowed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(crate) struct Outgoing<'a> {
    /// The value of `X-Client-Id`, or `None` on a public route.
    pub client_id: Option<&'a [u8]>,
    /// The value of `X-Client-Scope`, or `None` on a public route.
    pub client_scope: Option<&'a [u8]>,
    /// The value of `X-Request-Id`. With `None`, the client's own value is forwarded.
    pub request_id: Option<&'a [u8]>,
    /// What to do with the client's `Authorization`.
    pub authorization: ClientAuthorization,
    /// The header changes of the route and its upstream, including credentials.
    pub rules: Option<AppliedRules<'a>>,
    /// The prefix that was removed from the path. It is sent only if `rules` say so.
    pub prefix: Option<&'a [u8]>,
    /// The address of the connection, without a port, and without brackets for IPv6.
    pub peer: &'a [u8],
    /// Whether the peer is a proxy whose forwarding headers are trusted.
    pub peer_is_trusted: bool,
    /// The scheme that the client used.
    pub proto: Proto,
    /// The HTTP version of the client's request.
    pub version: Version,
    /// The authority of the request target, for HTTP/2 and absolute-form. Otherwise the `Host` header has it.
    pub authority: Option<&'a [u8]>,
    /// The `Host` for the upstream. With `None`, the client's host is sent.
    pub upstream_host: Option<&'a [u8]>,
    /// Whether the request is forwarded over HTTP/2. `Host` is then removed: the URI has the authority.
    pub upstream_http2: bool,
    /// The protocol of an upgrade to forward, such as `websocket`.
    pub upgrade: Option<&'a [u8]>,
    /// Whether the body has no declared length, as is possible in HTTP/2. It is forwarded chunked.
    pub streamed_body: bool,
    /// Whether the client's DPoP proof is forwarded. It is removed together with its token.
    pub proof: bool,
}

/// The header changes of a route, with the values that differ from request to request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppliedRules<'a> {
    pub(crate) rules: &'a RequestRules,
    /// `traceparent` and `tracestate`, on a route whose requests are traced. They replace those of the
    /// client.
    pub(crate) trace: Option<(&'a [u8], Option<&'a [u8]>)>,
    /// The header with a JWT.
    pub(crate) jwt: Option<(&'a HeaderName, &'a [u8])>,
}

impl<'a> From<&'a RequestRules> for AppliedRules<'a> {
    fn from(rules: &'a RequestRules) -> Self {
        Self { rules, trace: None, jwt: None }
    }
}

/// What to do with the client's `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ClientAuthorization {
    /// Removed.
    #[default]
    Remove,
    /// Removed if it carries a token of the gateway, and forwarded otherwise, because it may be meant for the
    /// upstream. For public routes.
    RemoveOurs,
    /// Forwarded.
    Forward,
}

/// The scheme that the client used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proto {
    /// Without TLS.
    Http,
    /// With TLS, which the gateway or a terminator in front of it handles.
    Https,
}

impl<'a> Outgoing<'a> {
    /// Creates the values for an HTTP/1.1 request from an untrusted peer, on a public route, to an HTTP/1.1
    /// upstream.
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

/// How the body of a forwarded request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body, or the protocol frames it itself.
    Unframed,
    /// With a `Content-Length`.
    Length,
    /// In chunks.
    Chunked,
}
