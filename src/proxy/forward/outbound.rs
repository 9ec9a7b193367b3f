//! A request that is ready to go upstream.

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::limit::exchange::ExchangeLimits;
use crate::proxy::body::request::BodyLimits;
use crate::upstream::http1::request::RequestHead;

/// The head of a request as its upstream takes it: canonical, sanitised and identified.
pub(crate) enum Head {
    Http1(Method, RequestHead),
    /// Boxed: the requests that count are of the other kind.
    Http2(Box<Request<()>>),
}

/// A request ready to go.
pub(crate) struct Outbound<H> {
    pub(crate) head: H,
    pub(crate) body: Incoming,
    /// The client's side of an upgrade that was asked for.
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) limits: BodyLimits,
    /// What it holds until its answer has ended.
    pub(crate) bounds: Option<Box<ExchangeLimits>>,
}
