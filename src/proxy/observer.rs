//! The observer of an authorization: the access log, or `tollgate explain`.

use std::sync::Arc;

use super::route::Route;
use super::shadow::access::Judged;

/// Is called with what is learned about a request while it is authorized.
pub(crate) trait RequestObserver {
    /// Called once the host and the canonical path are known.
    fn on_target(&mut self, host: &str, path: &str);
    /// Called with the route of the request.
    fn on_route(&mut self, route: &Arc<Route>);
    /// Called when the request is permitted. `client` is the client of its token, or `None` on a public route.
    fn on_permit(&mut self, client: Option<&str>);
    /// Called with the verdict about the token, on a route in shadow mode.
    fn on_shadow(&mut self, judged: &Judged<'_>);
    /// Returns the id of the request, if it has one.
    fn request_id(&self) -> Option<&[u8]>;
}
