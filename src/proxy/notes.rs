//! What is noted about a request while it is authorized.

use http::HeaderValue;

use crate::oauth::decide::Permit;

/// What is noted while a request is authorized, for the access log.
pub(crate) trait Notes {
    /// The host and the canonical path are known.
    fn names(&mut self, host: &str, path: &str);
    /// The token permits the request.
    fn permitted(&mut self, permit: &Permit);
    /// Returns the id of the request, if it has one.
    fn request_id(&self) -> Option<&HeaderValue>;
}
