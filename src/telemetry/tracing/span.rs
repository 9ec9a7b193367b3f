//! The spans of a request, by the semantic conventions of OpenTelemetry for HTTP.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::SpanData;

use super::trace::Trace;
use crate::telemetry::Reason;

/// The maximum length of a path in a span, in characters.
const LONGEST_PATH: usize = 1_024;

/// A request that is over. It has no header, no query and no body.
#[derive(Debug)]
pub(crate) struct RequestSpan<'a> {
    pub(crate) began: SystemTime,
    pub(crate) took: Duration,
    pub(crate) method: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) route: Option<&'a str>,
    pub(crate) client: &'a str,
    pub(crate) client_id: Option<&'a str>,
    /// `None` if the client disconnected before the response.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<Reason>,
    pub(crate) secure: bool,
    /// `1.1` or `2`.
    pub(crate) version: &'static str,
    pub(crate) request_id: Option<&'a str>,
}

/// The part of a request at its upstream.
#[derive(Debug)]
pub(crate) struct UpstreamSpan<'a> {
    pub(crate) name: &'a str,
    /// The host and port of the last server that was tried; port 0 is a socket.
    pub(crate) server: Option<(&'a str, u16)>,
    /// The time between the start of the request and the start of this part.
    pub(crate) after: Duration,
    /// The number of retries.
    pub(crate) retries: u32,
    /// The time until the head of the response.
    pub(crate) to_head: Option<Duration>,
    /// Whether it failed.
    pub(crate) failed: bool,
}

/// Makes the span of a request.
pub(super) fn of_request(trace: &Trace, request: &RequestSpan<'_>) -> SpanData {
    let mut attributes = vec![
        KeyValue::new("http.request.method", request.method.to_owned()),
        KeyValue::new("url.path", shortened(request.path)),
        KeyValue::new("url.scheme", if request.secure { "https" } else { "http" }),
        KeyValue::new("client.address", request.client.to_owned()),
        KeyValue::new("network.protocol.version", request.version),
    ];
    let texts = [
        ("server.address", request.host),
        ("http.route", request.route),
        ("tollgate.client_id", request.client_id),
        ("tollgate.request_id", request.request_id),
        ("error.type", request.reason.map(Reason::as_str)),
    ];
    attributes
        .extend(texts.into_iter().filter_map(|(name, text)| Some(KeyValue::new(name, text?.to_owned()))));
    attributes
        .extend(request.status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
    let is_error = request.status.is_none_or(|status| status >= 500);
    let name = match request.route {
        Some(route) => format!("{} {route}", request.method),
        None => request.method.to_owned(),
    };
    let (from, to) = (request.began, request.began + request.took);
    let (id, parent) = (trace.request, trace.parent);
    span(
        trace,
        Ids { id, parent, remote: parent.is_some() },
        SpanKind::Server,
        name,
        (from, to),
        attributes,
        is_error,
    )
}

/// Makes the span of the upstream's part.
pub(super) fn of_upstream(trace: &Trace, request: &RequestSpan<'_>, upstream: &UpstreamSpan<'_>) -> SpanData {
    let mut attributes = vec![
        KeyValue::new("http.request.method", request.method.to_owned()),
        KeyValue::new("tollgate.upstream", upstream.name.to_owned()),
    ];
    if let Some((host, port)) = upstream.server {
        attributes.push(KeyValue::new("server.address", host.to_owned()));
        if port != 0 {
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
    }
    if upstream.retries > 0 {
        attributes.push(KeyValue::new("http.request.resend_count", i64::from(upstream.retries)));
    }
    if let Some(to_head) = upstream.to_head {
        attributes.push(KeyValue::new("tollgate.time_to_head", to_head.as_secs_f64()));
    }
    if upstream.failed {
        let reason = request.reason.map_or("failed", Reason::as_str);
        attributes.push(KeyValue::new("error.type", reason));
    } else if let Some(status) = request.status {
        attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
    }
    let times = (request.began + upstream.after, request.began + request.took);
    let ids = Ids { id: trace.upstream, parent: Some(trace.request), remote: false };
    let is_error = upstream.failed || request.status.is_some_and(|status| status >= 400);
    span(trace, ids, SpanKind::Client, request.method.to_owned(), times, attributes, is_error)
}

struct Ids {
    id: SpanId,
    parent: Option<SpanId>,
    /// Whether the parent is in another process.
    remote: bool,
}

fn span(
    trace: &Trace,
    ids: Ids,
    span_kind: SpanKind,
    name: String,
    (start_time, end_time): (SystemTime, SystemTime),
    attributes: Vec<KeyValue>,
    is_error: bool,
) -> SpanData {
    let state = trace.tracestate.as_deref().and_then(|state| state.parse().ok());
    let state: TraceState = state.unwrap_or_default();
    SpanData {
        span_context: SpanContext::new(trace.trace_id, ids.id, TraceFlags::SAMPLED, false, state),
        parent_span_id: ids.parent.unwrap_or(SpanId::INVALID),
        parent_span_is_remote: ids.remote,
        span_kind,
        name: name.into(),
        start_time,
        end_time,
        attributes,
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: if is_error { Status::error("") } else { Status::Unset },
        instrumentation_scope: InstrumentationScope::builder("tollgate").build(),
    }
}

/// Returns the beginning of a path, without what looks like a token.
fn shortened(path: &str) -> String {
    let path: String = path.chars().take(LONGEST_PATH).collect();
    crate::telemetry::json::without_tokens(&path)
}
