//! The content of the metrics page: every family with its name, help text and labels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::access_log;
use super::certificates;
use super::exposition::{Format, Page};
use super::meter::{Class, Meter, RouteCells, UpstreamCells, UpstreamFailure};
use super::process::{Process, started};
use super::reason::Reason;
use super::security_log;
use super::shared_store;
use super::thread::{EndpointName, Event, difference, total, total_endpoint_refused, total_refused};
use super::tracing;
use crate::gate::jwt::JwtStats;
use crate::store::SharedStoreStatus;

/// The values that other modules provide.
pub(crate) struct Gauges {
    /// The routes of the current configuration.
    pub(crate) routes: Vec<Arc<Meter<RouteCells>>>,
    /// The meters of requests without a route: the gateway's endpoints, and unmatched requests.
    pub(crate) own: &'static [Meter<RouteCells>],
    /// The upstreams of the current configuration.
    pub(crate) upstreams: Vec<Arc<Meter<UpstreamCells>>>,
    /// The number of routes in shadow mode.
    pub(crate) shadow_routes: u64,
    /// What routes in shadow mode would have refused: the route, the reason and the number.
    pub(crate) shadow_refusals: Vec<(String, Reason, u64)>,
    /// The number of live tokens.
    pub(crate) tokens_live: u64,
    /// The number of tokens in the store, live or not.
    pub(crate) tokens_kept: u64,
    /// The number of clients that have registered themselves.
    pub(crate) registered_clients: u64,
    /// Whether the store can keep what it promises.
    pub(crate) store_healthy: bool,
    /// What a store that several gateways share reports about itself.
    pub(crate) shared_store: Option<SharedStoreStatus>,
    /// The number of secrets that wait for a hashing thread.
    pub(crate) hashing_queue: u64,
    /// The numbers about JWTs for upstreams.
    pub(crate) jwts: JwtStats,
}

static RELOADED: AtomicU64 = AtomicU64::new(0);
static RELOADS_FAILED: AtomicU64 = AtomicU64::new(0);

/// Counts a reload that succeeded or failed.
pub(crate) fn record_reload(good: bool) {
    if good { &RELOADED } else { &RELOADS_FAILED }.fetch_add(1, Relaxed);
}

/// Renders the page.
pub(crate) fn render(gauges: &Gauges, format: Format) -> String {
    let mut page = Page::new(format);
    traffic(&mut page, gauges);
    tokens(&mut page, gauges);
    shared_store::write(&mut page, gauges.shared_store.as_ref());
    upstreams(&mut page, gauges);
    certificates::write(&mut page);
    own(&mut page);
    process(&mut page);
    page.finish()
}

fn traffic(page: &mut Page, gauges: &Gauges) {
    page.gauge("tollgate_connections", "Connections of clients that are open.")
        .value(&[], difference(Event::ConnectionOpened, Event::ConnectionClosed));
    page.counter("tollgate_connections_accepted", "Connections of clients that were accepted.")
        .value(&[], total(Event::ConnectionOpened));
    let mut routes: Vec<&Meter<RouteCells>> = gauges.own.iter().collect();
    routes.extend(gauges.routes.iter().map(|route| &**route));
    routes.retain(|route| route.is_used());

    page.gauge("tollgate_requests_in_flight", "Requests whose response has not ended.")
        .value(&[], difference(Event::RequestBegun, Event::RequestEnded));
    let mut family =
        page.counter("tollgate_requests", "Requests that are over, by route and class of status.");
    for route in &routes {
        for class in Class::ALL {
            let requests = route.sum(|cells| cells.requests.get(class as usize).map_or(0, |c| c.now()));
            if requests > 0 {
                family.value(&[("route", route.name()), ("status", class.as_str())], requests);
            }
        }
    }
    let mut family = page.histogram(
        "tollgate_request_duration_seconds",
        "Time from a request that waited for something (an upstream, a hash) to the end of its response.",
    );
    for route in routes.iter().filter(|route| route.used().any(|cells| !cells.duration.is_empty())) {
        family.durations(&[("route", route.name())], route.used().map(|cells| &cells.duration));
    }
    let mut family = page.counter("tollgate_request_bytes", "Bytes of request bodies.");
    for route in &routes {
        family.value(&[("route", route.name())], route.sum(|cells| cells.bytes_in.now()));
    }
    let mut family = page.counter("tollgate_response_bytes", "Bytes of response bodies.");
    for route in &routes {
        family.value(&[("route", route.name())], route.sum(|cells| cells.bytes_out.now()));
    }
    let mut family = page.counter("tollgate_refusals", "Requests that were refused or failed, by reason.");
    for reason in Reason::ALL {
        let refused = total_refused(*reason);
        if refused > 0 {
            family.value(&[("reason", reason.as_str())], refused);
        }
    }
    page.gauge("tollgate_shadow_routes", "Routes in shadow mode: they forward what they are to refuse.")
        .value(&[], gauges.shadow_routes);
    let mut family = page.counter(
        "tollgate_shadow_refusals",
        "Requests that a route in shadow mode forwarded and would refuse if it were enforced, by reason.",
    );
    for (route, reason, refused) in &gauges.shadow_refusals {
        family.value(&[("route", route), ("reason", reason.as_str())], *refused);
    }
    page.counter("tollgate_connections_refused", "Connections refused because there were too many.")
        .value(&[], total(Event::ConnectionRefused));
    page.counter("tollgate_tls_handshakes_failed", "TLS handshakes that failed or took too long.")
        .value(&[], total(Event::HandshakeFailed));
    page.counter(
        "tollgate_request_heads_refused",
        "Request heads that were not HTTP, too large or too slow.",
    )
    .value(&[], total(Event::HeadRefused));
}

fn tokens(page: &mut Page, gauges: &Gauges) {
    let ended = gauges.tokens_kept.saturating_sub(gauges.tokens_live);
    page.gauge("tollgate_tokens", "Tokens in the store; ended ones are revoked and not yet swept.")
        .value(&[("state", "live")], gauges.tokens_live)
        .value(&[("state", "ended")], ended);
    page.gauge("tollgate_registered_clients", "Clients that have registered themselves.")
        .value(&[], gauges.registered_clients);
    page.gauge("tollgate_store_healthy", "1 if the store can be written, 0 if issuing and revoking fail.")
        .value(&[], u8::from(gauges.store_healthy));
    page.counter("tollgate_tokens_issued", "Tokens issued.").value(&[], total(Event::TokenIssued));
    let mut family =
        page.counter("tollgate_endpoint_refusals", "Refusals of the OAuth endpoints, by reason.");
    for endpoint in EndpointName::ALL {
        for reason in Reason::ALL {
            let refused = total_endpoint_refused(endpoint, *reason);
            if refused > 0 {
                family.value(&[("endpoint", endpoint.as_str()), ("reason", reason.as_str())], refused);
            }
        }
    }
    page.counter(
        "tollgate_introspections",
        "Tokens that introspection reported, by whether they are active.",
    )
    .value(&[("active", "true")], total(Event::TokenActive))
    .value(&[("active", "false")], total(Event::TokenInactive));
    page.counter("tollgate_revocations", "Revocations that succeeded.").value(&[], total(Event::Revoked));
    page.gauge("tollgate_hashing_queue", "Secrets that wait for a hashing thread.")
        .value(&[], gauges.hashing_queue);
    jwts(page, &gauges.jwts);
}

fn jwts(page: &mut Page, stats: &JwtStats) {
    page.counter("tollgate_jwts_signed", "JWTs signed for upstreams.").value(&[], stats.signed);
    page.gauge("tollgate_jwts_kept", "Signed JWTs that are kept for the next request.")
        .value(&[], stats.kept);
    page.gauge("tollgate_jwt_keys", "Keys that verify JWTs and are published.").value(&[], stats.keys);
    let mut family =
        page.gauge("tollgate_jwt_key_age_seconds", "Time since the key that signs JWTs began to.");
    if let Some(age) = stats.key_age {
        family.value(&[], age.as_secs());
    }
}

fn upstreams(page: &mut Page, gauges: &Gauges) {
    let all = &gauges.upstreams;
    let mut family = page.gauge(
        "tollgate_upstream_requests_in_flight",
        "Requests at an upstream whose response has not ended.",
    );
    for upstream in all {
        // The end is read first, so that a request that begins and ends in between does not make the result
        // negative.
        let ended = upstream.sum(|cells| cells.ended.now());
        let begun = upstream.sum(|cells| cells.begun.now());
        family.value(&[("upstream", upstream.name())], begun.saturating_sub(ended));
    }
    let mut family =
        page.histogram("tollgate_upstream_duration_seconds", "Time to the head of an upstream's response.");
    for upstream in all.iter().filter(|upstream| upstream.is_used()) {
        let labels = [("upstream", upstream.name())];
        family.durations(&labels, upstream.used().map(|cells| &cells.duration));
    }
    let mut family = page.counter("tollgate_upstream_retries", "Requests sent to an upstream once more.");
    for upstream in all {
        family.value(&[("upstream", upstream.name())], upstream.sum(|cells| cells.retries.now()));
    }
    let mut family = page.counter("tollgate_upstream_failures", "Requests that an upstream failed, by kind.");
    for upstream in all {
        for kind in UpstreamFailure::ALL {
            let failures = upstream.sum(|cells| cells.failures.get(kind as usize).map_or(0, |c| c.now()));
            if failures > 0 {
                family.value(&[("upstream", upstream.name()), ("kind", kind.as_str())], failures);
            }
        }
    }
    let idle = difference(Event::UpstreamParked, Event::UpstreamUnparked);
    let open = difference(Event::UpstreamOpened, Event::UpstreamClosed);
    page.gauge("tollgate_upstream_connections", "Connections to servers that are open.")
        .value(&[("state", "idle")], idle)
        .value(&[("state", "busy")], open.saturating_sub(idle));
    page.counter("tollgate_upstream_connections_opened", "Connections to servers that were made.")
        .value(&[], total(Event::UpstreamOpened));
}

fn own(page: &mut Page) {
    page.counter("tollgate_reloads", "Reloads of the configuration that succeeded or failed.")
        .value(&[("result", "good")], RELOADED.load(Relaxed))
        .value(&[("result", "failed")], RELOADS_FAILED.load(Relaxed));
    page.counter("tollgate_access_log_lines", "Lines of the access log that were written.")
        .value(&[], access_log::written());
    page.counter("tollgate_access_log_lines_dropped", "Lines of the access log that were dropped.")
        .value(&[], access_log::dropped());
    let mut family = page.counter("tollgate_security_events", "Events of the security log, written or not.");
    for (kind, events, _) in security_log::counts().filter(|(_, events, _)| *events > 0) {
        family.value(&[("kind", kind.action())], events);
    }
    let mut family = page.counter(
        "tollgate_security_events_left_out",
        "Events that were left out of the security log, because there were too many of their kind.",
    );
    for (kind, _, left_out) in security_log::counts().filter(|(_, events, _)| *events > 0) {
        family.value(&[("kind", kind.action())], left_out);
    }
    if let Some((sent, lost)) = tracing::counts() {
        page.counter("tollgate_spans", "Spans that were sent to the collector of traces, or lost.")
            .value(&[("result", "sent")], sent)
            .value(&[("result", "lost")], lost);
    }
    page.gauge("tollgate_build_info", "Always 1; the version is its label.")
        .value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn process(page: &mut Page) {
    let process = Process::read();
    page.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.")
        .value(&[], started());
    let values = [
        ("process_resident_memory_bytes", "Memory in use.", process.resident_bytes),
        ("process_virtual_memory_bytes", "Memory mapped.", process.virtual_bytes),
        ("process_threads", "Threads.", process.threads),
        ("process_open_fds", "Open file descriptors.", process.open_fds),
        ("process_max_fds", "File descriptors that may be open.", process.max_fds),
    ];
    for (name, help, value) in values {
        if let Some(value) = value {
            page.gauge(name, help).value(&[], value);
        }
    }
}
