//! The way of a request, top to bottom: authorized, then answered by an endpoint, by a refusal, or from upstream.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;

use super::authorize::{Authorized, Disposition, RequestContext, authorize};
use super::body::fault::BodyFault;
use super::body::request::BodyLimits;
use super::body::response::{ResponseBody, with_record};
use super::forward::error::ForwardError;
use super::forward::forward;
use super::forward::outbound::Outbound;
use super::observe::{self, RequestRecord};
use super::refusal::{Refusal, own_answer};
use super::route::ClientConnection;
use super::rules::Rules;
use crate::gate::{Endpoint, FormBody, Gate, Origin};
use crate::oauth::denial::Denial;
use crate::plugin;
use crate::telemetry::{Gauges, Reason};
use crate::upstream::health::upkeep::Watched;

/// The proxy: one for all threads.
pub(crate) struct Proxy {
    pub(super) gate: Gate,
    pub(super) rules: ArcSwap<Rules>,
    watched: watch::Sender<Arc<Watched>>,
}

impl Proxy {
    /// A proxy that lets through what `gate` permits.
    #[must_use]
    pub(crate) fn new(gate: Gate, rules: Rules) -> Self {
        let (watched, _) = watch::channel(Arc::new(rules.watched()));
        Self { gate, rules: ArcSwap::from_pointee(rules), watched }
    }

    /// Swaps all rules at once. Requests under way finish on the old ones.
    pub(crate) fn reload(&self, rules: Rules) {
        let watched = Arc::new(rules.watched());
        self.rules.store(Arc::new(rules));
        self.watched.send_replace(watched);
    }

    /// Returns the servers and names of the current rules, and of all later ones.
    #[must_use]
    pub(crate) fn watched(&self) -> watch::Receiver<Arc<Watched>> {
        self.watched.subscribe()
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
            hashing_queue: number(self.gate.hashing_queue()),
        }
    }

    /// Answers one request.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        client: ClientConnection<'_>,
    ) -> Response<ResponseBody> {
        let (mut parts, body) = request.into_parts();
        // From here on the request is followed to its end, also if this future is dropped.
        let mut watch = RequestRecord::begin(&parts, &client, || self.rules.load().trusts(client.peer));
        let response = match self.authorize(&parts, &body, client, &mut watch) {
            Ok(Disposition::Upstream(authorized)) => {
                let upgrade = if authorized.upgrade { parts.extensions.remove::<OnUpgrade>() } else { None };
                self.pass(authorized, &parts, body, upgrade, &mut watch).await
            }
            // Boxed: seldom, and its state would make every other request's future larger.
            Ok(Disposition::Endpoint(endpoint)) => {
                Box::pin(self.answer(endpoint, parts, body, client, &mut watch)).await
            }
            Err(mut refusal) => {
                watch.reason = refusal.reason;
                watch.route = refusal.route.take();
                refusal.understood_by(&parts).into_response()
            }
        };
        with_record(response, watch)
    }

    fn authorize(
        &self,
        parts: &Parts,
        body: &Incoming,
        client: ClientConnection<'_>,
        watch: &mut RequestRecord,
    ) -> Result<Disposition, Refusal> {
        let (bodiless, body_size) = (body.is_end_stream(), body.size_hint());
        let request = RequestContext { parts, bodiless, body_size, client };
        authorize(&self.gate, &self.rules.load(), &request, watch)
    }

    /// Sends on what was let through, and says what of the answer is the route's.
    async fn pass(
        &self,
        passed: Authorized,
        parts: &Parts,
        body: Incoming,
        upgrade: Option<OnUpgrade>,
        watch: &mut RequestRecord,
    ) -> Response<ResponseBody> {
        let Authorized { permit, route, head, mut bounds, .. } = passed;
        let route = &**watch.route.insert(route);
        let limits = BodyLimits { max: route.max_body_size, timeout: route.body_timeout };
        let origin = route.cors.as_ref().and_then(|cors| cors.origin(&parts.headers));
        if let Some(bounds) = &mut bounds
            && let Some(ticket) = bounds.ticket.take()
        {
            // Boxed: seldom, and its state would make every other request's future larger.
            match Box::pin(ticket.wait()).await {
                Ok(slot) => bounds.upstream = Some(slot),
                Err(refusal) => {
                    watch.reason = Some(Reason::UpstreamBusy);
                    return own_answer(refusal, route, parts, origin);
                }
            }
        }
        let outbound = Outbound { head, body, upgrade, limits, bounds };
        match forward(permit, &self.gate, &route.upstream, outbound, &mut watch.trip).await {
            Ok(mut response) => {
                watch.trip.returns();
                if let Some(changes) = &route.response_headers {
                    changes.apply(response.headers_mut());
                }
                if let Some(cors) = &route.cors {
                    cors.mark(response.headers_mut(), origin);
                }
                response
            }
            Err(error) => {
                // A body that is too long or too slow is the client's doing.
                if !matches!(error, ForwardError::Body(_)) {
                    route.upstream.report(&error);
                }
                watch.reason = Some(observe::of_forward_error(&error));
                let response = match error {
                    ForwardError::Body(BodyFault::TokenEnded) => self.gate.refuse(&Denial::InvalidToken),
                    error => error.to_response(),
                };
                own_answer(response, route, parts, origin)
            }
        }
    }

    /// Answers a request to one of the gate's own endpoints.
    async fn answer(
        &self,
        endpoint: Endpoint,
        parts: Parts,
        body: Incoming,
        client: ClientConnection<'_>,
        watch: &mut RequestRecord,
    ) -> Response<ResponseBody> {
        watch.reaches(endpoint);
        let body = if endpoint.reads_body() {
            // The whole of it within the time that other bodies have between two reads.
            let within = self.rules.load().body_timeout;
            match tokio::time::timeout(within, plugin::read_form(body)).await {
                Ok(body) => body,
                Err(_) => FormBody::TooSlow,
            }
        } else {
            FormBody::Whole(Bytes::new())
        };
        let close = !matches!(body, FormBody::Whole(_));
        if let FormBody::Whole(body) = &body {
            watch.reads(body.len());
        }
        let mut origin = Origin::from_address(client.peer);
        origin.certificate = client.certificate;
        origin.https = Some(client.secure);
        let (response, told) = self.gate.answer_and_report(endpoint, &parts, body, origin).await;
        watch.told(&told);
        Refusal { response, close, reason: None, route: None }.into_response()
    }
}
