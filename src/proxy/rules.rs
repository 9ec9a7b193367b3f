//! All that a configuration says about requests, swapped whole by a reload.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::meters::Meters;
use super::route::Routes;
use crate::config::AddressRange;
use crate::limit::rate::{ClientLimits, Counted};
use crate::upstream::group::Upstream;
use crate::upstream::health::upkeep::Watched;
use crate::upstream::registry::ServerRegistry;

/// The routes, and what is counted beside them.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) routes: Routes,
    /// None where no client has a rate: then no request is looked up.
    pub(crate) clients: Option<ClientLimits>,
    /// All upstreams, in the order of the file.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// Whose `Forwarded` and `X-Forwarded-*` are believed.
    pub(crate) trusted_proxies: Box<[AddressRange]>,
    /// Between two reads of a request's body; the whole of one to an endpoint.
    pub(crate) body_timeout: Duration,
    /// Header fields of a request of HTTP/2: h2 bounds their size, not their number. Those of HTTP/1.1 are bounded
    /// where they are parsed.
    pub(crate) max_headers: usize,
    /// What the next reload takes over.
    pub(crate) counted: Counted,
    pub(crate) registry: ServerRegistry,
    pub(crate) meters: Meters,
}

impl Rules {
    /// Whether what `peer` says of those before it is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(peer))
    }

    /// Returns the servers to probe and the names to look up.
    pub(crate) fn watched(&self) -> Watched {
        Watched { upstreams: self.upstreams.clone(), resolvers: self.registry.resolvers().cloned().collect() }
    }

    /// Counts a request of this client.
    ///
    /// # Errors
    /// One too many: the answer to it.
    pub(crate) fn check_client(&self, client: Option<&str>) -> Result<(), Response<Full<Bytes>>> {
        let Some(clients) = &self.clients else { return Ok(()) };
        let limiter = client.and_then(|id| clients.get(id));
        limiter.map_or(Ok(()), |limiter| limiter.check())
    }
}
