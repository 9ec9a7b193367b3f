//! The observer of an authorization: the access log, or `tollgate explain`.

use std::net::IpAddr;
use std::sync::Arc;

use super::route::Route;
use super::shadow::access::Judged;
use crate::oauth::denial::Denial;
use crate::oauth::evidence::Target;

/// A request of a route that the gate denies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Denied<'a> {
    pub(crate) denial: &'a Denial,
    /// The client that the token belongs to, if the token was found.
    pub(crate) client: Option<&'a str>,
    pub(crate) address: IpAddr,
    pub(crate) target: Target<'a>,
}

/// Is called with what is learned about a request while it is authorized.
pub(crate) trait RequestObserver {
    /// Called once the host and the canonical path are known.
    fn on_target(&mut self, host: &str, path: &str);
    /// Called with the route of the request.
    fn on_route(&mut self, route: &Arc<Route>);
    /// Called when the request is permitted. `client` is the client of its token, or `None` on a public
    /// route.
    fn on_permit(&mut self, client: Option<&str>);
    /// Called when the gate denies a request of a route.
    fn on_denial(&mut self, denied: &Denied<'_>);
    /// Called with the verdict about the token, on a route in shadow mode.
    fn on_shadow(&mut self, judged: &Judged<'_>);
    /// Returns the trace context for the upstream: `traceparent` and `tracestate`.
    fn trace_context(&self) -> Option<(&[u8], Option<&[u8]>)>;
    /// Returns the id of the request, if it has one.
    fn request_id(&self) -> Option<&[u8]>;
}
