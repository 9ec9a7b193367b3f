//! OpenTelemetry traces: one span for each request, with the upstream's as its child, sent to a collector
//! over HTTP.
//!
//! Whether there are traces is decided at the start. If they are off, they cost a request nothing. If they
//! are on, the record of a request has a [`Trace`], and the spans are made when the request is over. Another
//! thread sends them.

mod context;
mod export;
mod span;
mod trace;

use std::io;
use std::sync::OnceLock;

pub(crate) use self::context::{TraceParent, tracestate};
pub(crate) use self::export::Collector;
pub(crate) use self::span::{RequestSpan, UpstreamSpan};
pub(crate) use self::trace::{Sampling, Trace};

use self::export::Exporter;

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

/// Returns the settings for the start of a trace, or `None` if there are none.
pub(crate) fn sampling() -> Option<Sampling> {
    TRACING.get().map(|tracing| tracing.sampling)
}

/// Returns whether traces are recorded.
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

/// Hands the spans of a request over to be sent. Its trace is [sampled](Trace::is_sampled).
pub(crate) fn end(trace: &Trace, request: &RequestSpan<'_>, upstream: Option<&UpstreamSpan<'_>>) {
    let Some(tracing) = TRACING.get() else { return };
    if let Some(upstream) = upstream {
        tracing.exporter.submit(span::of_upstream(trace, request, upstream));
    }
    tracing.exporter.submit(span::of_request(trace, request));
}
