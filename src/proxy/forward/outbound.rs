//! A request that is ready to go upstream.

use std::sync::Arc;

use http::Request;

use crate::headers::RequestRules;
use crate::limit::exchange::ExchangeLimits;
use crate::proxy::body::request::{BodyLimits, Origin};

/// The head of a request as its upstream takes it: canonical, sanitised and identified.
pub(crate) enum Head {
    /// It is in the request's writer; whether its body goes in chunks.
    Http1 { chunked: bool },
    /// It is in the request's writer, and the whole body is read before it is sent.
    Buffered,
    /// Boxed: the requests that count are of the other kind.
    Http2(Box<Request<()>>),
}

/// A request with a body as frames, ready to go.
pub(crate) struct Outbound {
    pub(crate) body: Option<Origin>,
    pub(crate) limits: BodyLimits,
    /// What the route changes in the headers: no trailer may pass for one of them.
    pub(crate) rules: Option<Arc<RequestRules>>,
    /// What it holds until its response has ended.
    pub(crate) bounds: Option<Box<ExchangeLimits>>,
}
