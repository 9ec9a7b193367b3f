//! The proxy: the gate and the rules, and the steps that requests of both protocols share.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::Full;
use tokio::sync::watch;

use super::forward::error::ForwardError;
use super::observe::{self, RequestRecord};
use super::route::ClientConnection;
use super::rules::Rules;
use crate::gate::{Endpoint, FormBody, Gate};
use crate::headers::MapHead;
use crate::limit::exchange::ExchangeLimits;
use crate::oauth::denial::Denial;
use crate::telemetry::{Gauges, Reason};
use crate::upstream::downstream::BodyFault;
use crate::upstream::group::Upstream;
use crate::upstream::health::upkeep::Watched;

thread_local! {
    /// The rules that this thread saw last, and their number.
    static RULES: RefCell<Option<(u64, Arc<Rules>)>> = const { RefCell::new(None) };
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The proxy: one for all threads.
pub(crate) struct Proxy {
    pub(super) gate: Gate,
    pub(super) rules: ArcSwap<Rules>,
    /// Counts the rules there have been, in all proxies of the process: no two have the same number.
    version: AtomicU64,
    watched: watch::Sender<Arc<Watched>>,
}

impl Proxy {
    /// A proxy that lets through what `gate` permits.
    #[must_use]
    pub(crate) fn new(gate: Gate, rules: Rules) -> Self {
        let (watched, _) = watch::channel(Arc::new(rules.watched()));
        Self { gate, rules: ArcSwap::from_pointee(rules), version: AtomicU64::new(next_version()), watched }
    }

    /// Swaps all rules at once. Requests under way finish on the old ones.
    pub(crate) fn reload(&self, rules: Rules) {
        let watched = Arc::new(rules.watched());
        self.rules.store(Arc::new(rules));
        self.version.store(next_version(), Ordering::Release);
        self.watched.send_replace(watched);
    }

    /// Returns the servers and names of the current rules, and of all later ones.
    #[must_use]
    pub(crate) fn watched(&self) -> watch::Receiver<Arc<Watched>> {
        self.watched.subscribe()
    }

    /// Shows the rules in force to `look`, which must not come back here. Costs no write that other threads could see.
    pub(super) fn with_rules<R>(&self, look: impl FnOnce(&Rules) -> R) -> R {
        RULES.with_borrow_mut(|kept| {
            // The number is read before the rules: with older rules under it than there are, the next look gets new ones.
            let version = self.version.load(Ordering::Acquire);
            let rules = match kept {
                Some((known, rules)) if *known == version => rules,
                _ => &mut kept.insert((version, self.rules.load_full())).1,
            };
            look(rules)
        })
    }

    /// The rules in force: those that follow them count on with what they have counted.
    #[must_use]
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// The gate in front of the routes.
    #[must_use]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What there is to tell besides what is counted.
    pub(crate) fn gauges(&self) -> Gauges {
        let rules = self.rules.load();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Gauges {
            routes: rules.meters.routes(),
            own: observe::own(),
            upstreams: rules.meters.upstreams(),
            tokens_live: self.gate.tokens_live(),
            tokens_kept: number(self.gate.tokens_kept()),
            store_healthy: self.gate.is_store_healthy(),
            hashing_queue: number(self.gate.hashing_queue()),
        }
    }

    /// What is said to the client of a request that has no response from upstream, and why.
    pub(super) fn failed(
        &self,
        error: &ForwardError,
        upstream: &Upstream,
    ) -> (Reason, Response<Full<Bytes>>) {
        // A body that is too long or too slow is the client's doing.
        if !matches!(error, ForwardError::Body(_) | ForwardError::ClientGone) {
            upstream.report(error);
        }
        let response = match error {
            ForwardError::Body(BodyFault::TokenEnded) => self.gate.refuse(&Denial::InvalidToken),
            error => error.to_response(),
        };
        (observe::of_forward_error(error), response)
    }

    /// Answers a request to one of the gate's own endpoints, whose body has been read.
    pub(super) async fn answer(
        &self,
        endpoint: Endpoint,
        parts: &Parts,
        body: FormBody,
        client: &ClientConnection<'_>,
        record: &mut RequestRecord,
    ) -> Response<Full<Bytes>> {
        if let FormBody::Whole(body) = &body {
            record.reads(body.len());
        }
        let address = self.with_rules(|rules| rules.client_address(client.peer, &MapHead::new(parts)));
        let mut origin = crate::gate::Origin::from_address(address);
        origin.certificate = client.verified_certificate();
        origin.https = Some(client.secure);
        let (mut response, told) = self.gate.answer_and_report(endpoint, parts, body, origin).await;
        self.with_rules(|rules| {
            if let Some(cors) = &rules.endpoint_cors {
                cors.apply(endpoint, &MapHead::new(parts), response.headers_mut());
            }
        });
        record.told(&told);
        response
    }
}

/// Waits for the upstream to take one more request, where that is what it has to do.
pub(super) async fn wait_for_place(
    bounds: &mut Option<Box<ExchangeLimits>>,
) -> Result<(), Response<Full<Bytes>>> {
    if let Some(bounds) = bounds
        && let Some(ticket) = bounds.ticket.take()
    {
        // Boxed: seldom, and its state would make every other request's future larger.
        bounds.upstream = Some(Box::pin(ticket.wait()).await?);
    }
    Ok(())
}
