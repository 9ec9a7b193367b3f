//! All that a configuration says about requests, swapped whole by a reload.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;

use super::limits::{ClientLimits, Counted};
use super::meters::Meters;
use super::pipeline::Routes;
use crate::config;
use crate::oauth::decide::Permit;

/// The routes, and what is counted beside them.
#[derive(Debug)]
pub struct Rules {
    pub(super) routes: Routes,
    /// None where no client has a rate: then no request is looked up.
    pub(super) clients: Option<ClientLimits>,
    /// What the next reload takes over.
    pub(super) counted: Counted,
    pub(super) meters: Meters,
}

impl Rules {
    /// Counts a request of the permit's client.
    ///
    /// # Errors
    /// One too many: the answer to it.
    pub(super) fn check_client(&self, permit: &Permit) -> Result<(), Response<Full<Bytes>>> {
        let Some(clients) = &self.clients else { return Ok(()) };
        let limiter = permit.client_id().and_then(|id| clients.get(id));
        limiter.map_or(Ok(()), |limiter| limiter.check())
    }
}

/// What a route changes in the answers of its upstream.
#[derive(Debug)]
pub(super) struct ResponseHeaders(config::ResponseHeaders);

impl ResponseHeaders {
    /// What the configuration says; none where it changes nothing.
    pub(super) fn new(spec: &config::ResponseHeaders) -> Option<Box<Self>> {
        (!spec.remove.is_empty() || !spec.set.is_empty()).then(|| Box::new(Self(spec.clone())))
    }

    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.0.remove {
            headers.remove(name);
        }
        for (name, value) in &self.0.set {
            headers.insert(name, value.clone());
        }
    }
}
