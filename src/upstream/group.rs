//! Upstreams: the servers of a legacy API, and how to reach them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::balance::Balancer;
use super::health::HealthCheck;
use super::pick::{PickContext, ServerSet};
use super::retry_budget::RetryBudget;
use super::select;
use super::server::Server;
use super::state::ChangeCounter;
use crate::clock::{Clock as _, Millis, SystemClock};
use crate::config::{self, Balance, Ejection};
use crate::limit::concurrency::{ConcurrencyLimit, ConcurrencyPermit};
use crate::telemetry::{Meter, UpstreamCells};

/// The servers behind one or more routes, and what was configured about them.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    servers: Vec<Arc<Server>>,
    default_host: Box<str>,
    balancer: Balancer,
    /// Where changes in the standing of its servers are told, and up to which of them all were well.
    changes: Arc<ChangeCounter>,
    well_at: AtomicU64,
    failures: Failures,
    /// How its servers are probed.
    pub(crate) health_check: Option<HealthCheck>,
    /// When a server is left out. None where there is no other.
    ejection: Option<Ejection>,
    retry_budget: Option<RetryBudget>,
    pub(crate) meter: Arc<Meter<UpstreamCells>>,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long a server may take to answer, and between two reads of its answer.
    pub read_timeout: Duration,
    /// How long it may take from the request to the end of the answer.
    pub total_timeout: Option<Duration>,
    /// How many requests may be under way at once.
    pub(crate) in_flight: Option<ConcurrencyLimit>,
    /// How often an idempotent request is tried again.
    pub retries: u32,
    /// What the legacy API itself asks for.
    pub credentials: Option<(HeaderName, HeaderValue)>,
    /// Whether its servers take HTTP/2 rather than HTTP/1.1.
    pub http2: bool,
}

/// What is configured about an upstream besides its servers.
#[derive(Debug)]
pub(crate) struct UpstreamSpec {
    pub(crate) name: String,
    pub(crate) meter: Arc<Meter<UpstreamCells>>,
    /// Servers with their weights.
    pub(crate) servers: Vec<(Server, u32)>,
    pub(crate) balance: Balance,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) in_flight: Option<ConcurrencyLimit>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) ejection: Option<Ejection>,
    pub(crate) retry_budget: Option<config::RetryBudget>,
    pub(crate) retries: u32,
    pub(crate) credentials: Option<(HeaderName, HeaderValue)>,
    pub(crate) http2: bool,
}

impl Upstream {
    /// An upstream; none without servers.
    #[must_use]
    pub(crate) fn new(spec: UpstreamSpec) -> Option<Self> {
        let (servers, weights): (Vec<_>, Vec<_>) =
            spec.servers.into_iter().map(|(server, weight)| (Arc::new(server), weight.max(1))).unzip();
        let changes = servers.first().map(|server| Arc::clone(&server.state.changes))?;
        Some(Self {
            name: spec.name,
            changes,
            well_at: AtomicU64::new(u64::MAX),
            health_check: spec.health_check,
            ejection: spec.ejection.filter(|_| servers.len() > 1),
            retry_budget: spec
                .retry_budget
                .filter(|_| spec.retries > 0)
                .map(|share| RetryBudget::new(share, now())),
            meter: spec.meter,
            balancer: Balancer::new(spec.balance, &servers, &weights),
            default_host: servers.first().map(|server| server.authority().into()).unwrap_or_default(),
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

    /// The host that a request is for whose client names none: its first server.
    pub(crate) fn default_host(&self) -> &[u8] {
        self.default_host.as_bytes()
    }

    /// Its servers.
    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// Host and port of the server with this key.
    pub(crate) fn server(&self, key: u64) -> Option<(&str, u16)> {
        let server = self.servers.iter().find(|server| server.key == key)?;
        Some((&server.host, server.port))
    }

    /// The server to ask, and its place in the requests there if those are counted. None: no server is healthy.
    pub(crate) fn pick(
        &self,
        context: &mut PickContext<'_>,
    ) -> Option<(&Arc<Server>, Option<ConcurrencyPermit>)> {
        static NOWHERE: ServerSet = ServerSet::none();
        match &*self.servers {
            [only] => {
                let is_ill = self.health_check.is_some() && only.state.health.is_unhealthy();
                (!is_ill).then_some((only, None))
            }
            servers => {
                let changes = self.changes.count();
                let at = if self.well_at.load(Ordering::Relaxed) == changes && context.tried().is_empty() {
                    self.balancer.pick(servers, context, &NOWHERE)?
                } else {
                    self.pick_with_care(context, changes)?
                };
                let server = servers.get(at)?;
                Some((server, self.balancer.counts().then(|| server.in_flight.enter())))
            }
        }
    }

    #[cold]
    fn pick_with_care(&self, context: &mut PickContext<'_>, changes: u64) -> Option<usize> {
        let sticky = self.balancer.is_sticky();
        let survey =
            select::survey(&self.name, &self.servers, self.ejection.as_ref(), context, sticky, now());
        if survey.all_well {
            self.well_at.store(changes, Ordering::Relaxed);
        }
        self.balancer.pick(&self.servers, context, &survey.avoid?)
    }

    /// A server is healthy again.
    pub(crate) fn readmit(&self, server: &Server) {
        if self.ejection.is_some() {
            server.state.ejection.begin_slow_start(now());
        }
    }

    /// Counts a request.
    pub(crate) fn count(&self) {
        if let Some(budget) = &self.retry_budget {
            budget.request();
        }
    }

    /// Whether a request that failed may be tried again: not if too many of late were.
    pub(crate) fn may_retry(&self) -> bool {
        self.retry_budget.as_ref().is_none_or(|budget| budget.allows(now()))
    }

    /// A server answered with this status.
    pub(crate) fn answered(&self, server: &Server, status: StatusCode) {
        let Some(rule) = &self.ejection else { return };
        if rule.server_errors && status.is_server_error() {
            self.failed(server, &status);
        } else {
            server.state.ejection.success();
        }
    }

    /// A server took no connection, broke it, or gave no answer in time.
    #[cold]
    pub(crate) fn failed(&self, server: &Server, why: &dyn fmt::Display) {
        let Some(rule) = &self.ejection else { return };
        if let Some(span) = server.state.ejection.failure(rule, now()) {
            server.state.changes.add();
            let name = &self.name;
            log::warn!(
                "upstream {name:?}: {server} gets no requests for {span:?}, it failed too often: {why}"
            );
        }
    }
}

/// Time as the states of servers have it, over all reloads.
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
    pub(crate) fn report(&self, error: &dyn fmt::Display) {
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
        log::warn!("upstream {:?}: {error}{more}", self.name);
    }
}
