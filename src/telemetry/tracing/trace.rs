//! The trace of one request.

use opentelemetry::trace::{SpanId, TraceId};

use super::context::{self, TRACEPARENT, TraceParent};

/// The settings for the start of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    /// The share of traces that are recorded, in millionths.
    pub(crate) ratio: u32,
    /// Whether the context of every client is accepted.
    pub(crate) accept_all: bool,
    /// Whether the context of trusted proxies is accepted.
    pub(crate) accept_trusted: bool,
}

/// The trace of one request.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(super) trace_id: TraceId,
    /// The span of the client, if its context was accepted.
    pub(super) parent: Option<SpanId>,
    pub(super) request: SpanId,
    pub(super) upstream: SpanId,
    /// Whether the spans are sent.
    pub(super) sampled: bool,
    /// The values of the headers for the upstream.
    traceparent: [u8; TRACEPARENT],
    pub(super) tracestate: Option<String>,
}

impl Trace {
    /// Begins the trace of a request, or continues the trace of a client whose context is accepted.
    pub(crate) fn begin(sampling: Sampling, context: Option<(TraceParent, Option<String>)>) -> Self {
        let (trace_id, request, upstream) = context::new_ids();
        let (trace_id, parent, sampled, tracestate) = match context {
            Some((context, state)) => (context.trace_id, Some(context.span_id), context.sampled, state),
            None => (trace_id, None, context::is_sampled(trace_id, sampling.ratio), None),
        };
        let traceparent = context::traceparent(trace_id, upstream, sampled);
        Self { trace_id, parent, request, upstream, sampled, traceparent, tracestate }
    }

    /// Returns whether the spans of the request are sent.
    pub(crate) fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Returns the trace context for the upstream: `traceparent` and `tracestate`.
    pub(crate) fn context(&self) -> (&[u8], Option<&[u8]>) {
        (&self.traceparent, self.tracestate.as_deref().map(str::as_bytes))
    }
}
