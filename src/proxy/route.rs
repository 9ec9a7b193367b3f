//! A route as the proxy runs it, and what the proxy knows about a client's connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::addresses::Addresses;
use super::cors::Cors;
use crate::config;
use crate::headers::{Field, HeaderSink};
use crate::limit::concurrency::ConcurrencyLimit;
use crate::limit::rate::Limiter;
use crate::oauth::evidence::PeerCertificate;
use crate::oauth::scope::Demand;
use crate::route::table::RouteTable;
use crate::telemetry::{Meter, RouteCells};
use crate::upstream::group::Upstream;

/// What a route asks of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// A good token.
    Token(Demand),
    /// Nothing: its configuration says so in words.
    Public,
}

/// Where requests of a route go, and on what terms.
#[derive(Debug)]
pub(crate) struct Route {
    /// Its position among the routes of the configuration.
    pub(crate) index: usize,
    /// What it asks.
    pub(crate) access: Access,
    /// Where it goes.
    pub(crate) upstream: Arc<Upstream>,
    /// Where its requests are counted.
    pub(crate) meter: Arc<Meter<RouteCells>>,
    /// What is taken off the front of the path on its way upstream.
    pub(crate) strip_prefix: Option<Box<str>>,
    /// The longest request body, in bytes; none: no limit.
    pub(crate) max_body_size: Option<u64>,
    /// How long a request body may rest between two reads.
    pub(crate) body_timeout: Duration,
    /// Whether the upstream sees the client's token.
    pub(crate) forward_token: bool,
    /// From where requests are taken; none: from anywhere.
    pub(crate) addresses: Option<Addresses>,
    /// How many requests it takes, and how many at once.
    pub(crate) rate_limit: Option<Arc<Limiter>>,
    pub(crate) in_flight: Option<ConcurrencyLimit>,
    /// What is changed in the upstream's answers.
    pub(crate) response_headers: Option<Box<ResponseHeaders>>,
    /// What pages of other origins may do.
    pub(crate) cors: Option<Box<Cors>>,
}

/// All routes of a configuration.
pub(crate) type Routes = RouteTable<Arc<Route>>;

/// What the proxy needs to know about the connection of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientConnection<'a> {
    /// The client's address.
    pub(crate) peer: IpAddr,
    /// The same as a header value, made once a connection.
    pub(crate) peer_value: &'a HeaderValue,
    /// Whether the client speaks TLS, to us or to the terminator before us.
    pub(crate) secure: bool,
    /// The certificate that the client showed to us.
    pub(crate) certificate: Option<PeerCertificate<'a>>,
}

/// What a route changes in the answers of its upstream.
#[derive(Debug)]
pub(crate) struct ResponseHeaders(config::ResponseHeaders);

impl ResponseHeaders {
    /// What the configuration says; none where it changes nothing.
    pub(crate) fn new(spec: &config::ResponseHeaders) -> Option<Box<Self>> {
        (!spec.remove.is_empty() || !spec.set.is_empty()).then(|| Box::new(Self(spec.clone())))
    }

    /// Whether a header of the upstream's response is removed, or set to something else.
    pub(crate) fn takes_out(&self, field: &Field<'_>) -> bool {
        let is = |name: &HeaderName| field.name.eq_ignore_ascii_case(name.as_str().as_bytes());
        self.0.remove.iter().any(is) || self.0.set.iter().any(|(name, _)| is(name))
    }

    /// What is set, as headers that are added to the upstream's.
    pub(crate) fn write(&self, sink: &mut impl HeaderSink) {
        for (name, value) in &self.0.set {
            sink.add(name, value.as_bytes());
        }
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.0.remove {
            headers.remove(name);
        }
        for (name, value) in &self.0.set {
            headers.insert(name, value.clone());
        }
    }
}
