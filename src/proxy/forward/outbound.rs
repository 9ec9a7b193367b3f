//! A request that is ready to be sent upstream.

use std::sync::Arc;

use http::Request;

use crate::gate::Gate;
use crate::headers::RequestRules;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::decide::Lease;
use crate::proxy::body::request::{BodyLimits, Origin};
use crate::proxy::route::Route;

/// The head of a request to the upstream: canonical, sanitised, and with the client's identity.
pub(crate) enum Head {
    /// The head is in the request's writer. `chunked` is whether the body is sent chunked.
    Http1 { chunked: bool },
    /// The head is in the request's writer. The whole body is read before the request is sent.
    Buffered,
    /// Boxed to keep the more frequent variants small.
    Http2(Box<Request<()>>),
}

/// The body and the limits of a request to an HTTP/2 upstream.
pub(crate) struct Outbound {
    pub(crate) body: Option<Origin>,
    pub(crate) body_limits: BodyLimits,
    /// The header rules of the route. Trailers that look like one of these headers are removed.
    pub(crate) rules: Option<Arc<RequestRules>>,
    /// The permits and the deadline that the request holds until its response has ended.
    pub(crate) limits: Option<Box<ExchangeLimits>>,
}

/// The context of a response that becomes a [`Response`](http::Response).
#[derive(Clone, Copy)]
pub(crate) struct ReturnTo<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) lease: &'a Lease,
    pub(crate) route: &'a Route,
    /// The canonical path of the request, on a route that rewrites paths.
    pub(crate) request_path: Option<&'a str>,
}
