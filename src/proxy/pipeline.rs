//! The proxy: the gate and the rules, and the steps that requests of both protocols share.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::sync::watch;

use super::forward::error::ForwardError;
use super::observe;
use super::rules::Rules;
use crate::gate::Gate;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::denial::Denial;
use crate::telemetry::{self, Gauges, Reason};
use crate::upstream::downstream::BodyFault;
use crate::upstream::group::Upstream;
use crate::upstream::health::upkeep::Watched;

thread_local! {
    /// The rules that this thread used last, and their version.
    static RULES: RefCell<Option<(u64, Arc<Rules>)>> = const { RefCell::new(None) };
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The proxy. All threads share one.
pub(crate) struct Proxy {
    pub(super) gate: Gate,
    pub(super) rules: ArcSwap<Rules>,
    /// The version of the current rules. It is unique among all proxies of the process.
    version: AtomicU64,
    watched: watch::Sender<Arc<Watched>>,
}

impl Proxy {
    /// Creates a proxy that forwards the requests that `gate` permits.
    #[must_use]
    pub(crate) fn new(gate: Gate, rules: Rules) -> Self {
        let (watched, _) = watch::channel(Arc::new(rules.watched()));
        Self { gate, rules: ArcSwap::from_pointee(rules), version: AtomicU64::new(next_version()), watched }
    }

    /// Replaces all rules at once. Requests in flight finish with the old ones.
    pub(crate) fn reload(&self, rules: Rules) {
        let watched = Arc::new(rules.watched());
        self.rules.store(Arc::new(rules));
        self.version.store(next_version(), Ordering::Release);
        self.watched.send_replace(watched);
    }

    /// Returns a receiver of the servers to probe and the names to resolve. It is updated when the rules
    /// change.
    #[must_use]
    pub(crate) fn watched(&self) -> watch::Receiver<Arc<Watched>> {
        self.watched.subscribe()
    }

    /// Calls `read` with the current rules, which must not call this function again. Writes nothing that is
    /// shared with other threads.
    pub(super) fn with_rules<R>(&self, read: impl FnOnce(&Rules) -> R) -> R {
        RULES.with_borrow_mut(|kept| {
            // The version is read before the rules, so that a concurrent reload at worst causes another load.
            let version = self.version.load(Ordering::Acquire);
            let rules = match kept {
                Some((known, rules)) if *known == version => rules,
                _ => &mut kept.insert((version, self.rules.load_full())).1,
            };
            read(rules)
        })
    }

    /// Returns the current rules. The rules that replace them take over their counters and limiters.
    #[must_use]
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Returns the gate that authorizes requests.
    #[must_use]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns whether requests are accepted, and tokens can be issued and checked.
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        telemetry::is_serving() && self.gate.is_store_healthy()
    }

    /// Returns the metrics that are read when they are requested, and not counted.
    pub(crate) fn gauges(&self) -> Gauges {
        let rules = self.rules.load();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Gauges {
            routes: rules.meters.routes(),
            own: observe::builtin_meters(),
            upstreams: rules.meters.upstreams(),
            shadow_routes: number(rules.shadow_routes),
            shadow_refusals: rules
                .learned
                .routes()
                .iter()
                .flat_map(|route| {
                    route.refusals().map(|(reason, count)| (route.name().to_owned(), reason, count))
                })
                .collect(),
            tokens_live: self.gate.tokens_live(),
            tokens_kept: number(self.gate.tokens_kept()),
            registered_clients: number(self.gate.registered_count()),
            store_healthy: self.gate.is_store_healthy(),
            shared_store: None,
            hashing_queue: number(self.gate.hashing_queue()),
            jwts: self.gate.jwt_stats(),
        }
    }

    /// Returns the response to a request that failed upstream, and the reason to record.
    pub(super) fn error_response(
        &self,
        error: &ForwardError,
        upstream: &Upstream,
    ) -> (Reason, Response<Full<Bytes>>) {
        // The client causes a body that is too long or too slow.
        if !matches!(error, ForwardError::Body(_) | ForwardError::ClientGone) {
            upstream.report(error);
        }
        let response = match error {
            ForwardError::Body(BodyFault::TokenEnded) => self.gate.refuse(&Denial::InvalidToken),
            error => error.to_response(),
        };
        (observe::forward_error_reason(error), response)
    }
}

/// Waits in the queue of the upstream, if the request is queued.
pub(super) async fn wait_in_queue(
    limits: &mut Option<Box<ExchangeLimits>>,
) -> Result<(), Response<Full<Bytes>>> {
    if let Some(limits) = limits
        && let Some(ticket) = limits.ticket.take()
    {
        // Boxed, because it is rare and its state would make the future of every request larger.
        limits.upstream = Some(Box::pin(ticket.wait()).await?);
    }
    Ok(())
}
