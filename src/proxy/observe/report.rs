//! The end of a record: what is counted and logged of a request that is over.

use tokio::time::Instant;

use super::RequestRecord;
use super::logged::protocol;
use super::reasons::{endpoint_name, upstream_failure};
use crate::clock::turn;
use crate::proxy::body::request::BodyOutcome;
use crate::proxy::observer::RequestObserver;
use crate::telemetry::access_log::{self, Line};
use crate::telemetry::{Class as StatusClass, Event, Meter, Reason, is_timed, thread_counters};

impl RequestRecord {
    /// Counts the request, and writes its line and its trace if there are any.
    pub(super) fn report(&mut self) {
        if !self.complete && self.reason.is_none() {
            self.reason = Some(Reason::ClientGone);
        }
        let counters = thread_counters();
        counters.count(Event::RequestEnded);
        let bytes_in = self.upstream.body.as_ref().map_or(self.bytes_in, BodyOutcome::bytes);
        let logged = self.logged.as_deref().filter(|_| self.is_logged);
        let end = if !is_timed() && logged.is_none() {
            None
        } else if self.streamed
            || self.upstream.head_at.is_none() && self.upstream.started_at.is_some()
            || logged.is_some()
        {
            Some(turn::now())
        } else {
            self.upstream.head_at
        };
        let since =
            |began: Option<Instant>, end: Option<Instant>| Some(end?.saturating_duration_since(began?));
        let is_head = since(self.upstream.started_at, self.upstream.head_at);
        let took = if end == self.upstream.head_at { is_head } else { since(self.upstream.started_at, end) };
        if let Some(cells) = self.meter().and_then(|meter| meter.cells(counters)) {
            cells.request(StatusClass::of(self.status), took, bytes_in, self.bytes_out);
        }
        if self.upstream.counted
            && let Some(route) = self.route()
            && let Some(cells) = route.upstream.meter.cells(counters)
        {
            cells.end(is_head, self.upstream.retries());
            if let Some(failure) = self.reason.and_then(upstream_failure) {
                cells.failed(failure);
            }
        }
        if let Some(reason) = self.reason {
            match self.endpoint.and_then(endpoint_name) {
                Some(endpoint) => counters.endpoint_refused(endpoint, reason),
                None => counters.refused(reason),
            }
        }
        let (Some(logged), Some(end)) = (logged, end) else { return };
        if let Some(trace) = logged.trace.as_ref().filter(|trace| trace.is_sampled()) {
            self.end_trace(trace, logged, end);
        }
        if access_log::is_on() {
            let upstream = self.route().map(|route| &route.upstream).filter(|_| self.upstream.counted);
            access_log::submit(&Line {
                time: logged.time,
                request_id: self.request_id(),
                client: &logged.client,
                method: logged.method.as_str(),
                host: Some(&*logged.host).filter(|host| !host.is_empty()),
                path: &logged.path,
                route: self.meter().filter(|_| self.has_route()).map(Meter::logged_name),
                client_id: Some(&*logged.client_id).filter(|id| !id.is_empty()),
                status: (self.status != 0).then_some(self.status),
                reason: self.reason,
                setting: self.reason.and_then(|reason| self.setting_for(reason)),
                shadow: logged.shadow,
                upstream: upstream.map(|upstream| upstream.meter.logged_name()),
                server: upstream
                    .zip(self.upstream.server)
                    .and_then(|(upstream, key)| Some(&upstream.server(key)?.logged_name)),
                retries: self.upstream.retries(),
                bytes_in,
                bytes_out: self.bytes_out,
                duration: end.saturating_duration_since(logged.started),
                upstream_duration: is_head.filter(|_| upstream.is_some()),
                protocol: protocol(logged.version),
                tls: logged.secure,
            });
        }
    }
}
