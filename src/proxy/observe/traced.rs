//! The spans of a request, from its record.

use std::time::UNIX_EPOCH;

use tokio::time::Instant;

use super::RequestRecord;
use super::logged::{Logged, protocol};
use super::reasons::upstream_failure;
use crate::telemetry::Meter;
use crate::telemetry::tracing::{self, RequestSpan, Trace, UpstreamSpan};

impl RequestRecord {
    /// Ends the trace of a request that is over.
    #[cold]
    pub(super) fn end_trace(&self, trace: &Trace, logged: &Logged, end: Instant) {
        let text = |text: &'_ str| -> bool { !text.is_empty() };
        let request = RequestSpan {
            began: UNIX_EPOCH + logged.time,
            took: end.saturating_duration_since(logged.started),
            method: logged.method.as_str(),
            host: Some(&*logged.host).filter(|host| text(host)),
            path: &logged.path,
            route: self.meter().filter(|_| self.has_route()).map(Meter::name),
            client: std::str::from_utf8(&logged.client).unwrap_or_default(),
            client_id: Some(&*logged.client_id).filter(|id| text(id)),
            status: (self.status != 0).then_some(self.status),
            reason: self.reason,
            secure: logged.secure,
            version: protocol(logged.version).trim_start_matches("HTTP/"),
            request_id: (!self.id.is_empty()).then(|| std::str::from_utf8(&self.id).ok()).flatten(),
        };
        let since =
            |begin: Option<Instant>, end: Option<Instant>| Some(end?.saturating_duration_since(begin?));
        let route = self.route().filter(|_| self.upstream.counted);
        let upstream = route.and_then(|route| {
            let server = self.upstream.server?;
            Some(UpstreamSpan {
                name: &route.upstream.name,
                server: route.upstream.server(server).map(|server| server.address()),
                after: since(Some(logged.started), self.upstream.started_at).unwrap_or_default(),
                retries: self.upstream.retries(),
                to_head: since(self.upstream.started_at, self.upstream.head_at),
                failed: self.reason.and_then(upstream_failure).is_some(),
            })
        });
        tracing::end(trace, &request, upstream.as_ref());
    }
}
