//! Upstreams: the servers of a legacy API, and how to reach them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rustls_pki_types::ServerName;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use super::balance::{Asking, Balancer};
use super::limits::{Gauge, InFlight, Slot};
use crate::config::Balance;
use crate::telemetry::{Meter, UpstreamCells};

/// The servers behind one or more routes, and what was configured about them.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    servers: Vec<Arc<Server>>,
    balancer: Balancer,
    failures: Failures,
    pub(super) meter: Arc<Meter<UpstreamCells>>,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long a server may take to answer, and between two reads of its answer.
    pub read_timeout: Duration,
    /// How long it may take from the request to the end of the answer.
    pub total_timeout: Option<Duration>,
    /// How many requests may be under way at once.
    pub(super) in_flight: Option<InFlight>,
    /// How often an idempotent request is tried again.
    pub retries: u32,
    /// What the legacy API itself asks for.
    pub credentials: Option<(HeaderName, HeaderValue)>,
    /// Whether its servers take HTTP/2 rather than HTTP/1.1.
    pub http2: bool,
}

/// What is configured about an upstream besides its servers.
#[derive(Debug)]
pub(super) struct UpstreamSpec {
    pub(super) name: String,
    pub(super) meter: Arc<Meter<UpstreamCells>>,
    /// Servers with their weights.
    pub(super) servers: Vec<(Server, u32)>,
    pub(super) balance: Balance,
    pub(super) connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) total_timeout: Option<Duration>,
    pub(super) in_flight: Option<InFlight>,
    pub(super) retries: u32,
    pub(super) credentials: Option<(HeaderName, HeaderValue)>,
    pub(super) http2: bool,
}

/// One server.
pub struct Server {
    /// What the connections of this server are pooled under: never used twice in a process.
    pub(super) key: u64,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How to speak TLS to it; none for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Requests under way; counted where the balance asks for it.
    pub(super) under_way: Arc<Gauge>,
}

impl Server {
    /// A server at this address.
    #[must_use]
    pub fn new(host: String, port: u16, tls: Option<(Arc<ClientConfig>, ServerName<'static>)>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { key, host, port, tls, under_way: Arc::default() }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({}:{}{})", self.host, self.port, if self.tls.is_some() { ", tls" } else { "" })
    }
}

impl Upstream {
    /// An upstream; none without servers.
    #[must_use]
    pub(super) fn new(spec: UpstreamSpec) -> Option<Self> {
        let (servers, weights): (Vec<_>, Vec<_>) =
            spec.servers.into_iter().map(|(server, weight)| (Arc::new(server), weight.max(1))).unzip();
        (!servers.is_empty()).then(|| Self {
            name: spec.name,
            meter: spec.meter,
            balancer: Balancer::new(spec.balance, &servers, &weights),
            servers,
            failures: Failures::default(),
            connect_timeout: spec.connect_timeout,
            read_timeout: spec.read_timeout,
            total_timeout: spec.total_timeout,
            in_flight: spec.in_flight,
            retries: spec.retries,
            credentials: spec.credentials,
            http2: spec.http2,
        })
    }

    /// Host and port of the server with this key.
    pub(super) fn server(&self, key: u64) -> Option<(&str, u16)> {
        let server = self.servers.iter().find(|server| server.key == key)?;
        Some((&server.host, server.port))
    }

    /// The server to ask, and its place in the requests there if those are counted.
    pub(super) fn pick(&self, asking: &mut Asking<'_>) -> Option<(&Arc<Server>, Option<Slot>)> {
        match &*self.servers {
            [only] => Some((only, None)),
            servers => {
                let at = self.balancer.pick(servers, asking)?;
                let server = servers.get(at)?;
                Some((server, self.balancer.counts().then(|| server.under_way.enter())))
            }
        }
    }
}

/// How often failures of an upstream are reported: it fails once for every request while it is down.
const REPORT_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Failures {
    /// When the last line was written.
    reported: Mutex<Option<Instant>>,
    unreported: AtomicU64,
}

impl Upstream {
    /// Reports that a request failed, at most once in a while.
    pub(super) fn report(&self, error: &dyn fmt::Debug) {
        let now = Instant::now();
        let mut reported = self.failures.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.is_some_and(|last| now.duration_since(last) < REPORT_EVERY) {
            self.failures.unreported.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *reported = Some(now);
        drop(reported);
        let more = match self.failures.unreported.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            more => format!(" (and {more} more since the last such line)"),
        };
        log::warn!("upstream {:?}: {error:?}{more}", self.name);
    }
}
