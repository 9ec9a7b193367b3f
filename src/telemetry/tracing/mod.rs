//! OpenTelemetry traces: one span for each request, with the upstream's as its child, sent to a collector over HTTP.
//!
//! Whether there are traces is decided at the start. Without them, a request does nothing for them. With them, its record
//! has a [`Trace`], and the spans are made when it is over; a thread of its own sends them.

mod context;
mod export;
mod span;

use std::io;
use std::sync::OnceLock;

pub(crate) use self::context::{TraceParent, tracestate};
pub(crate) use self::export::Collector;
pub(crate) use self::span::{RequestSpan, UpstreamSpan};

use self::context::random_ids;
use self::export::Exporter;
use opentelemetry::trace::{SpanId, TraceId};

/// How traces begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    /// The share of traces that are recorded, in millionths.
    pub(crate) ratio: u32,
    /// Whether the context of every client is accepted.
    pub(crate) accept_all: bool,
    /// Whether the context of trusted proxies is accepted.
    pub(crate) accept_trusted: bool,
}

struct Tracing {
    sampling: Sampling,
    exporter: Exporter,
}

static TRACING: OnceLock<Tracing> = OnceLock::new();

/// Begins to record traces, and to send them to a collector, until the process ends.
///
/// # Errors
/// Fails if the client of the collector or its thread cannot be made.
pub(crate) fn start(sampling: Sampling, collector: &Collector) -> io::Result<()> {
    let exporter = Exporter::start(collector)?;
    let _ = TRACING.set(Tracing { sampling, exporter });
    super::details::turn_on(super::details::TRACES);
    Ok(())
}

/// Returns how traces begin, or `None` if there are none.
pub(crate) fn sampling() -> Option<Sampling> {
    TRACING.get().map(|tracing| tracing.sampling)
}

/// Returns whether there are traces.
pub(crate) fn is_on() -> bool {
    TRACING.get().is_some()
}

/// Sends what was recorded, and waits for it up to a timeout.
pub(crate) fn flush(timeout: std::time::Duration) {
    if let Some(tracing) = TRACING.get() {
        tracing.exporter.flush(timeout);
    }
}

/// Returns the numbers of spans that were sent, and of those that were lost.
pub(super) fn counts() -> Option<(u64, u64)> {
    TRACING.get().map(|tracing| tracing.exporter.counts())
}

/// The trace of one request.
#[derive(Debug)]
pub(crate) struct Trace {
    trace_id: TraceId,
    /// The span of the client, if its context was accepted.
    parent: Option<SpanId>,
    request: SpanId,
    upstream: SpanId,
    /// Whether the spans are sent.
    sampled: bool,
    /// The values of the headers for the upstream.
    traceparent: String,
    tracestate: Option<String>,
}

impl Trace {
    /// Begins the trace of a request, or continues the trace of a client whose context is accepted.
    pub(crate) fn begin(sampling: Sampling, context: Option<(TraceParent, Option<String>)>) -> Self {
        let (trace_id, request, upstream) = random_ids();
        let (trace_id, parent, sampled, tracestate) = match context {
            Some((context, state)) => (context.trace_id, Some(context.span_id), context.sampled, state),
            None => (trace_id, None, context::is_sampled(trace_id, sampling.ratio), None),
        };
        let traceparent = context::traceparent(trace_id, upstream, sampled);
        Self { trace_id, parent, request, upstream, sampled, traceparent, tracestate }
    }

    /// Returns the trace context for the upstream: `traceparent` and `tracestate`.
    pub(crate) fn context(&self) -> (&[u8], Option<&[u8]>) {
        (self.traceparent.as_bytes(), self.tracestate.as_deref().map(str::as_bytes))
    }

    /// Hands the spans over to be sent, if the trace is recorded.
    pub(crate) fn end(&self, request: &RequestSpan<'_>, upstream: Option<&UpstreamSpan<'_>>) {
        if !self.sampled {
            return;
        }
        if let Some(tracing) = TRACING.get() {
            if let Some(upstream) = upstream {
                tracing.exporter.submit(span::of_upstream(self, request, upstream));
            }
            tracing.exporter.submit(span::of_request(self, request));
        }
    }
}
