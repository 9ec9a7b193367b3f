//! What is known about a request before the gateway decides.

use http_body::SizeHint;

use super::route::ClientConnection;
use crate::gate::question::Answers;

/// What the gateway knows about a request before it decides.
pub(crate) struct RequestContext<'a, V> {
    pub(crate) request: &'a V,
    /// Whether the request has no body.
    pub(crate) bodiless: bool,
    /// The length of the body, as far as the request declares it.
    pub(crate) body_size: SizeHint,
    pub(crate) client: &'a ClientConnection<'a>,
    /// The store's answers about the request.
    pub(crate) answers: &'a Answers,
}
