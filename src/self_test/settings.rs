//! The target and the limits of the test.

use std::time::Duration;

use http::Method;

use super::message::Protocol;
use crate::config::{Methods, Origin, Route};
use crate::oauth::secret::Secret;

/// The target and the limits of the test.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the gateway is.
    pub(crate) origin: Origin,
    /// Whether the gateway may be on another machine.
    pub(crate) remote: bool,
    /// The only protocol of the requests. Without one, each that the gateway speaks.
    pub(crate) protocol: Option<Protocol>,
    /// The client whose tokens are used. Without one, only attacks without a valid token are made.
    pub(crate) tester: Option<Tester>,
    /// Whether routes without a safe method (RFC 9110 §9.2.1) are attacked too.
    pub(crate) unsafe_methods: bool,
    /// How long to wait for a token to expire.
    pub(crate) wait_for_expiry: Duration,
    /// The largest number of requests.
    pub(crate) max_requests: usize,
    /// The timeout of one response.
    pub(crate) timeout: Duration,
    /// Whether refusals that do not look like the gateway's count as refusals, because a proxy in front of
    /// the gateway makes them.
    pub(crate) foreign_refusals: bool,
}

/// The client whose tokens are used.
#[derive(Debug)]
pub(crate) struct Tester {
    pub(crate) client: String,
    pub(crate) secret: Secret,
}

/// Returns the host and the port of an origin, as in a `Host` header.
pub(super) fn authority(origin: &Origin) -> String {
    let origin = origin.to_string();
    origin.split_once("://").map_or(&*origin, |(_, host)| host).to_owned()
}

impl Settings {
    /// Returns the method of the requests to a route: a safe method, or any method if that is allowed.
    pub(super) fn method(&self, route: &Route) -> Option<Method> {
        let Methods::Only(methods) = &route.methods else { return Some(Method::GET) };
        let safe = [Method::GET, Method::HEAD].into_iter().find(|method| methods.contains(method));
        safe.or_else(|| methods.first().filter(|_| self.unsafe_methods).cloned())
    }
}
