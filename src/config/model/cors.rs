//! Cross-origin requests.

use std::time::Duration;

use http::HeaderName;

use super::methods::Methods;
use crate::config::address::Origin;

/// Cross-origin requests from browsers (Fetch §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cors {
    /// The origins of the pages.
    pub origins: CorsOrigins,
    /// The methods that pages may use; those of the route unless the file says otherwise.
    pub methods: Methods,
    /// The request headers that pages may set, beside those that are always allowed.
    pub headers: Vec<HeaderName>,
    /// The time for which a browser may cache the response to a preflight request.
    pub max_age: Option<Duration>,
    /// Whether cookies and other credentials may be sent; never together with [`CorsOrigins::Any`].
    pub credentials: bool,
}

/// The origins of pages that may make cross-origin requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Any origin: `"*"`.
    Any,
    /// At least one origin.
    Only(Vec<Origin>),
}
