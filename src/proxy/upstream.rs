//! Upstreams: the servers of a legacy API, and how to reach them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use rustls_pki_types::ServerName;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use super::balance::{Asking, Balancer, Places};
use super::health::HealthCheck;
use super::in_flight::{Gauge, InFlight, Slot};
use super::resolve::Site;
use super::retry::RetryBudget;
use super::standing::{self, News, Standing};
use crate::clock::{Clock as _, Millis, SystemClock};
use crate::config::{self, Balance, Ejection};
use crate::telemetry::{Meter, UpstreamCells};

/// The servers behind one or more routes, and what was configured about them.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    servers: Vec<Arc<Server>>,
    balancer: Balancer,
    /// Where changes in the standing of its servers are told, and up to which of them all were well.
    news: Arc<News>,
    well_at: AtomicU64,
    failures: Failures,
    /// How its servers are probed.
    pub(super) health_check: Option<HealthCheck>,
    /// When a server is left out. None where there is no other.
    ejection: Option<Ejection>,
    retry_budget: Option<RetryBudget>,
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
    pub(super) health_check: Option<HealthCheck>,
    pub(super) ejection: Option<Ejection>,
    pub(super) retry_budget: Option<config::RetryBudget>,
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
    /// Its addresses.
    pub(super) site: Arc<Site>,
    /// How it is.
    pub(super) standing: Arc<Standing>,
}

impl Server {
    /// A server at this address, and what is known of it already.
    #[must_use]
    pub(super) fn new(
        host: String,
        port: u16,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
        site: Arc<Site>,
        standing: Arc<Standing>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { key, host, port, tls, under_way: Arc::default(), site, standing }
    }

    /// A server without TLS of which nothing is known.
    #[cfg(test)]
    pub(super) fn alone(host: &str, port: u16) -> Self {
        let post =
            standing::Post { upstream: "a".to_owned(), origin: format!("{host}:{port}"), probed: true };
        let standing = standing::Roster::default().standing(None, post);
        Self::new(host.to_owned(), port, None, Arc::new(Site::new(host, port)), standing)
    }

    /// The addresses behind its name, in the order in which to try them.
    ///
    /// # Errors
    /// The name cannot be looked up, and never could be.
    pub async fn addresses(&self) -> std::io::Result<Vec<std::net::SocketAddr>> {
        self.site.addresses().await
    }

    /// What a request names it by (RFC 9110 §7.2): without the port where that is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        if self.port == usual { bracketed(&self.host) } else { self.to_string() }
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
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
        let news = servers.first().map(|server| Arc::clone(&server.standing.news))?;
        Some(Self {
            name: spec.name,
            news,
            well_at: AtomicU64::new(u64::MAX),
            health_check: spec.health_check,
            ejection: spec.ejection.filter(|_| servers.len() > 1),
            retry_budget: spec
                .retry_budget
                .filter(|_| spec.retries > 0)
                .map(|share| RetryBudget::new(share, now())),
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

    /// Its servers.
    pub(super) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// Host and port of the server with this key.
    pub(super) fn server(&self, key: u64) -> Option<(&str, u16)> {
        let server = self.servers.iter().find(|server| server.key == key)?;
        Some((&server.host, server.port))
    }

    /// The server to ask, and its place in the requests there if those are counted. None: no server is healthy.
    pub(super) fn pick(&self, asking: &mut Asking<'_>) -> Option<(&Arc<Server>, Option<Slot>)> {
        static NOWHERE: Places = Places::none();
        match &*self.servers {
            [only] => {
                let is_ill = self.health_check.is_some() && only.standing.verdict.is_bad();
                (!is_ill).then_some((only, None))
            }
            servers => {
                let news = self.news.count();
                let at = if self.well_at.load(Ordering::Relaxed) == news && asking.tried().is_empty() {
                    self.balancer.pick(servers, asking, &NOWHERE)?
                } else {
                    self.pick_with_care(asking, news)?
                };
                let server = servers.get(at)?;
                Some((server, self.balancer.counts().then(|| server.under_way.enter())))
            }
        }
    }

    #[cold]
    fn pick_with_care(&self, asking: &mut Asking<'_>, news: u64) -> Option<usize> {
        let sticky = self.balancer.is_sticky();
        let survey =
            standing::survey(&self.name, &self.servers, self.ejection.as_ref(), asking, sticky, now());
        if survey.all_well {
            self.well_at.store(news, Ordering::Relaxed);
        }
        self.balancer.pick(&self.servers, asking, &survey.avoid?)
    }

    /// A server is healthy again.
    pub(super) fn welcome(&self, server: &Server) {
        if self.ejection.is_some() {
            server.standing.record.welcome(now());
        }
    }

    /// The server last picked gave no whole answer in time.
    pub(super) fn failed_last(&self, asking: &Asking<'_>) {
        if let Some(server) = self.servers.get(asking.last) {
            self.failed(server, &"no whole answer in time");
        }
    }

    /// Counts a request.
    pub(super) fn count(&self) {
        if let Some(budget) = &self.retry_budget {
            budget.request();
        }
    }

    /// Whether a request that failed may be tried again: not if too many of late were.
    pub(super) fn may_retry(&self) -> bool {
        self.retry_budget.as_ref().is_none_or(|budget| budget.allows(now()))
    }

    /// A server answered with this status.
    pub(super) fn answered(&self, server: &Server, status: StatusCode) {
        let Some(rule) = &self.ejection else { return };
        if rule.server_errors && status.is_server_error() {
            self.failed(server, &status);
        } else {
            server.standing.record.success();
        }
    }

    /// A server took no connection, broke it, or gave no answer in time.
    #[cold]
    pub(super) fn failed(&self, server: &Server, why: &dyn fmt::Display) {
        let Some(rule) = &self.ejection else { return };
        if let Some(span) = server.standing.record.failure(rule, now()) {
            server.standing.news.add();
            let name = &self.name;
            log::warn!(
                "upstream {name:?}: {server} gets no requests for {span:?}, it failed too often: {why}"
            );
        }
    }
}

/// Time as the standings of servers have it, over all reloads.
fn now() -> Millis {
    static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::new);
    CLOCK.now()
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
