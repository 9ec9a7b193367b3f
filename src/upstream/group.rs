//! Upstreams: the servers behind one or more routes, and how to reach them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::balance::Balancer;
use super::ejection::Phase;
use super::health::HealthCheck;
use super::pick::{PickContext, ServerSet};
use super::retry_budget::RetryBudget;
use super::select;
use super::server::Server;
use super::state::ChangeCounter;
use crate::clock::{Clock as _, Millis, SystemClock};
use crate::config::{self, Balance, Ejection, UpstreamHost};
use crate::headers::ServerOrigin;
use crate::limit::concurrency::{ConcurrencyLimit, ConcurrencyPermit};
use crate::telemetry::{Meter, UpstreamCells};

/// The servers behind one or more routes, and their configuration.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// The name in the configuration.
    pub name: String,
    servers: Vec<Arc<Server>>,
    default_host: Box<str>,
    balancer: Balancer,
    /// Counts the changes in the states of the servers.
    changes: Arc<ChangeCounter>,
    /// The count of changes at which all servers were last seen available.
    all_available_at: AtomicU64,
    failures: FailureLog,
    pub(crate) health_check: Option<HealthCheck>,
    /// The rule of ejection. `None` if there is only one server.
    ejection: Option<Ejection>,
    retry_budget: Option<RetryBudget>,
    pub(crate) meter: Arc<Meter<UpstreamCells>>,
    /// The time to establish a connection, TLS included.
    pub connect_timeout: Duration,
    /// The time until the head of a response, and between two reads of its body.
    pub read_timeout: Duration,
    /// The time from the request to the end of its response.
    pub total_timeout: Option<Duration>,
    /// The limit on requests in flight.
    pub(crate) in_flight: Option<ConcurrencyLimit>,
    /// The number of retries of an idempotent request.
    pub retries: u32,
    /// The header that authenticates the gateway to the servers.
    pub credentials: Option<(HeaderName, HeaderValue)>,
    /// Whether requests are sent over HTTP/2 instead of HTTP/1.1.
    pub http2: bool,
    /// The origins of the servers, as they appear in URLs of their responses.
    pub(crate) origins: Box<[ServerOrigin]>,
    /// The `Host` of requests and probes.
    host: UpstreamHost,
    /// The prefix of every path at the servers.
    pub(crate) base_path: Box<str>,
    /// Whether each server gets its own `Host`.
    pub(crate) host_per_server: bool,
}

/// Everything needed to create an [`Upstream`].
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
    pub(crate) host: UpstreamHost,
    pub(crate) base_path: Box<str>,
}

impl Upstream {
    /// Creates an upstream, or returns `None` if there are no servers.
    #[must_use]
    pub(crate) fn new(spec: UpstreamSpec) -> Option<Self> {
        let (servers, weights): (Vec<_>, Vec<_>) =
            spec.servers.into_iter().map(|(server, weight)| (Arc::new(server), weight.max(1))).unzip();
        let authorities: Vec<String> = servers.iter().map(|server| server.authority()).collect();
        let origins_differ = authorities.iter().any(|authority| Some(authority) != authorities.first());
        let origins = servers.iter().map(|server| server.origin()).collect();
        let changes = servers.first().map(|server| Arc::clone(&server.state.changes))?;
        Some(Self {
            name: spec.name,
            changes,
            all_available_at: AtomicU64::new(u64::MAX),
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
            failures: FailureLog::default(),
            connect_timeout: spec.connect_timeout,
            read_timeout: spec.read_timeout,
            total_timeout: spec.total_timeout,
            in_flight: spec.in_flight,
            retries: spec.retries,
            credentials: spec.credentials,
            http2: spec.http2,
            origins,
            host_per_server: spec.host == UpstreamHost::Upstream && origins_differ,
            host: spec.host,
            base_path: spec.base_path,
        })
    }

    /// The `Host` that servers get instead of the client's. If each server gets its own, it is the first
    /// one's.
    pub(crate) fn host(&self) -> Option<&str> {
        match &self.host {
            UpstreamHost::Preserve => None,
            UpstreamHost::Upstream => Some(&self.default_host),
            UpstreamHost::Name(name) => Some(name),
        }
    }

    /// The `Host` of a probe of a server.
    pub(crate) fn probe_host(&self, server: &Server) -> String {
        match &self.host {
            UpstreamHost::Name(name) => name.clone(),
            UpstreamHost::Preserve | UpstreamHost::Upstream => server.authority(),
        }
    }

    /// Returns the host of a request that names none: that of the first server.
    pub(crate) fn default_host(&self) -> &[u8] {
        self.default_host.as_bytes()
    }

    /// Returns the servers.
    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// Returns the server with this key.
    pub(crate) fn server(&self, key: u64) -> Option<&Server> {
        self.servers.iter().find(|server| server.key == key).map(|server| &**server)
    }

    /// Picks the server for a request, and counts the request there if the balancing policy needs it. Returns
    /// `None` if no server is healthy.
    pub(crate) fn pick(
        &self,
        context: &mut PickContext<'_>,
    ) -> Option<(&Arc<Server>, Option<ConcurrencyPermit>)> {
        static NONE: ServerSet = ServerSet::none();
        match &*self.servers {
            [only] => {
                let unhealthy = self.health_check.is_some() && only.state.health.is_unhealthy();
                (!unhealthy).then_some((only, None))
            }
            servers => {
                if let Some(server) = context.pinned.take().and_then(|key| self.pinned(key, context)) {
                    return Some((
                        server,
                        self.balancer.needs_in_flight().then(|| server.in_flight.acquire()),
                    ));
                }
                let changes = self.changes.count();
                let all_available = self.all_available_at.load(Ordering::Relaxed) == changes;
                let at = if all_available && context.tried().is_empty() {
                    self.balancer.pick(servers, context, &NONE)?
                } else {
                    self.pick_available(context, changes)?
                };
                let server = servers.get(at)?;
                Some((server, self.balancer.needs_in_flight().then(|| server.in_flight.acquire())))
            }
        }
    }

    /// Picks the server with this key, unless it is unhealthy.
    #[cold]
    fn pinned(&self, key: u64, context: &mut PickContext<'_>) -> Option<&Arc<Server>> {
        let at = self.servers.iter().position(|server| server.key == key)?;
        let server = self.servers.get(at).filter(|server| !server.state.health.is_unhealthy())?;
        context.last = at;
        Some(server)
    }

    #[cold]
    fn pick_available(&self, context: &mut PickContext<'_>, changes: u64) -> Option<usize> {
        let (sticky, rule) = (self.balancer.is_sticky(), self.ejection.as_ref());
        let availability = select::availability(&self.name, &self.servers, rule, context, sticky, now());
        if availability.all {
            self.all_available_at.store(changes, Ordering::Relaxed);
        }
        self.balancer.pick(&self.servers, context, &availability.avoid?)
    }

    /// Starts the slow start of a server that is healthy again.
    pub(crate) fn readmit(&self, server: &Server) {
        if self.ejection.is_some() {
            server.state.ejection.begin_slow_start(now());
        }
    }

    /// Counts a request for the retry budget.
    pub(crate) fn count(&self) {
        if let Some(budget) = &self.retry_budget {
            budget.request();
        }
    }

    /// Returns whether the retry budget allows one more retry, and counts it.
    pub(crate) fn may_retry(&self) -> bool {
        self.retry_budget.as_ref().is_none_or(|budget| budget.try_retry(now()))
    }

    /// Records the status of a server's response. `status` is called only if the upstream ejects servers.
    pub(crate) fn record_response(&self, server: &Server, status: impl FnOnce() -> Option<StatusCode>) {
        let Some(rule) = &self.ejection else { return };
        match status().filter(|status| rule.server_errors && status.is_server_error()) {
            Some(status) => self.record_failure(server, &status),
            None => server.state.ejection.success(),
        }
    }

    /// Returns the state of a server in a word: `healthy`, `unhealthy` or `ejected`.
    pub(crate) fn state_of(&self, server: &Server) -> &'static str {
        let phase = self.ejection.as_ref().map(|rule| server.state.ejection.phase(rule, now()));
        if self.health_check.is_some() && server.state.health.is_unhealthy() {
            "unhealthy"
        } else if matches!(phase, Some(Phase::Ejected)) {
            "ejected"
        } else {
            "healthy"
        }
    }

    /// Returns the last fault of a server, and how long ago it was.
    pub(crate) fn last_fault(&self, server: &Server) -> Option<(Box<str>, Duration)> {
        server.state.last_fault.get().map(|fault| (fault.text, now().since(fault.at)))
    }

    /// Records that a probe of a server failed.
    pub(crate) fn record_failed_probe(&self, server: &Server, why: &dyn fmt::Display) {
        server.state.last_fault.record(&format_args!("the probe failed: {why}"), now());
    }

    /// Records that a server refused or broke a connection, or did not answer in time.
    #[cold]
    pub(crate) fn record_failure(&self, server: &Server, why: &dyn fmt::Display) {
        let now = now();
        server.state.last_fault.record(why, now);
        let Some(rule) = &self.ejection else { return };
        if let Some(span) = server.state.ejection.failure(rule, now) {
            server.state.changes.add();
            let name = &self.name;
            log::warn!(
                "upstream {name:?}: {server} is ejected for {span:?} because it failed too often: {why}"
            );
        }
    }
}

/// Returns the time on the clock that all server states share, across reloads.
fn now() -> Millis {
    static CLOCK: LazyLock<SystemClock> = LazyLock::new(SystemClock::new);
    CLOCK.now()
}

/// The interval between two log lines about a failing upstream. While it is down, every request fails.
const REPORT_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct FailureLog {
    last_reported: Mutex<Option<Instant>>,
    unreported: AtomicU64,
}

impl Upstream {
    /// Logs that a request failed, at most once per [`REPORT_EVERY`].
    pub(crate) fn report(&self, error: &dyn fmt::Display) {
        let now = Instant::now();
        let mut last_reported = self.failures.last_reported.lock().unwrap_or_else(PoisonError::into_inner);
        if last_reported.is_some_and(|last| now.duration_since(last) < REPORT_EVERY) {
            self.failures.unreported.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *last_reported = Some(now);
        drop(last_reported);
        let more = match self.failures.unreported.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            more => format!(" (and {more} more since the last such line)"),
        };
        log::warn!("upstream {:?}: {error}{more}", self.name);
    }
}
