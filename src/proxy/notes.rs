//! What is noted about a request while it is authorized.

use std::sync::Arc;

use super::route::Route;

/// What is noted while a request is authorized, for the access log.
pub(crate) trait Notes {
    /// The host and the canonical path are known.
    fn names(&mut self, host: &str, path: &str);
    /// The request is for this route.
    fn routed(&mut self, route: &Arc<Route>);
    /// The request is permitted, to this client where it has a token.
    fn permitted(&mut self, client: Option<&str>);
    /// Returns the id of the request, if it has one.
    fn request_id(&self) -> Option<&[u8]>;
}
