//! The rules that a configuration sets for requests. A reload replaces them as a whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::endpoint_cors::EndpointCors;
use super::meters::Meters;
use super::route::Routes;
use crate::config::AddressRange;
use crate::gate::{Gate, behind_proxies};
use crate::headers::{Class, RequestView};
use crate::limit::by_address::AddressLimiter;
use crate::limit::by_registered::RegisteredLimiter;
use crate::limit::rate::Limiter;
use crate::limit::state::LimitState;
use crate::shadow::Learned;
use crate::upstream::group::Upstream;
use crate::upstream::health::upkeep::Watched;
use crate::upstream::registry::ServerRegistry;

/// The routes and limits of a configuration, and the state that the next configuration takes over.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) routes: Routes,
    /// The rate limits of clients. `None` if no client has one, so that requests skip the lookup.
    pub(crate) clients: Option<ClientLimits>,
    /// All upstreams, in the order of the configuration file.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// The rate limit of each address for requests without a route: the endpoints and unknown paths.
    pub(crate) rate_by_address: Option<Arc<AddressLimiter>>,
    /// The CORS policy of the endpoints.
    pub(crate) endpoint_cors: Option<Box<EndpointCors>>,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` fields are trusted.
    pub(crate) trusted_proxies: Box<[AddressRange]>,
    /// The timeout between two reads of a request body. For the gateway's own endpoints, the timeout of the
    /// whole body.
    pub(crate) body_timeout: Duration,
    /// The maximum number of header fields of an HTTP/2 request: h2 limits only their size. The HTTP/1.1
    /// parser enforces its own limit.
    pub(crate) max_headers: usize,
    pub(crate) limits: LimitState,
    pub(crate) registry: ServerRegistry,
    pub(crate) meters: Meters,
    /// What was learned on routes in shadow mode, by this configuration and those before it.
    pub(crate) learned: Arc<Learned>,
    /// The number of routes in shadow mode.
    pub(crate) shadow_routes: usize,
}

/// The rate limits of clients.
#[derive(Debug, Default)]
pub(crate) struct ClientLimits {
    /// The limits of the clients of the configuration, by id.
    pub(crate) own: HashMap<Box<str>, Arc<Limiter>>,
    /// The limits of registered clients, by the name of their template.
    pub(crate) registered: HashMap<Box<str>, Arc<RegisteredLimiter>>,
}

impl Rules {
    /// Returns whether the forwarding fields of a request from `peer` are trusted.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(peer))
    }

    /// Returns the address of the client that limits count: the one that trusted proxies report, or `peer`.
    pub(crate) fn client_address(&self, peer: IpAddr, request: &impl RequestView) -> IpAddr {
        if self.trusted_proxies.is_empty() {
            return peer;
        }
        let (forwarded_for, forwarded) = (Class::ForwardedFor, Class::Forwarded);
        let is_trusted = |address| self.trusts(address);
        behind_proxies(peer, is_trusted, request.values(forwarded_for), request.values(forwarded))
    }

    /// Returns the servers to probe and the names to look up.
    pub(crate) fn watched(&self) -> Watched {
        Watched { upstreams: self.upstreams.clone(), resolvers: self.registry.resolvers().cloned().collect() }
    }

    /// Counts a request of this client against its rate limit.
    ///
    /// # Errors
    /// Returns the response to send (429) if the rate is exceeded.
    pub(crate) fn check_client(
        &self,
        gate: &Gate,
        client: Option<&str>,
    ) -> Result<(), Response<Full<Bytes>>> {
        let (Some(limits), Some(id)) = (&self.clients, client) else { return Ok(()) };
        limits.check(gate, id)
    }
}

impl ClientLimits {
    fn check(&self, gate: &Gate, id: &str) -> Result<(), Response<Full<Bytes>>> {
        if let Some(limiter) = self.own.get(id) {
            return limiter.check();
        }
        if self.registered.is_empty() {
            return Ok(());
        }
        let template = gate.template_of(id);
        let limiter = template.and_then(|template| self.registered.get(&*template));
        limiter.map_or(Ok(()), |limiter| limiter.check(id))
    }
}
