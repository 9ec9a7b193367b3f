//! All that a configuration says about requests, swapped whole by a reload.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;

use super::limits::{ClientLimits, Counted};
use super::meters::Meters;
use super::pipeline::Routes;
use super::standing::Roster;
use super::upstream::Upstream;
use crate::config::{self, AddressRange};
use crate::oauth::decide::Permit;

/// The routes, and what is counted beside them.
#[derive(Debug)]
pub struct Rules {
    pub(super) routes: Routes,
    /// None where no client has a rate: then no request is looked up.
    pub(super) clients: Option<ClientLimits>,
    /// All upstreams, in the order of the file.
    pub(super) upstreams: Vec<Arc<Upstream>>,
    /// Whose `Forwarded` and `X-Forwarded-*` are believed.
    pub(super) trusted_proxies: Box<[AddressRange]>,
    /// Between two reads of a request's body; the whole of one to an endpoint.
    pub(super) body_timeout: Duration,
    /// Header fields of a request of HTTP/2: h2 bounds their size, not their number. Those of HTTP/1.1 are bounded
    /// where they are parsed.
    pub(super) max_headers: usize,
    /// What the next reload takes over.
    pub(super) counted: Counted,
    pub(super) roster: Roster,
    pub(super) meters: Meters,
}

impl Rules {
    /// Whether what `peer` says of those before it is believed.
    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(peer))
    }

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
