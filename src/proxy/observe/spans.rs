//! The beginning of a trace, from the head of a request.

use crate::headers::RequestView;
use crate::telemetry::tracing::{Sampling, Trace, TraceParent, tracestate};

/// Begins the trace of a request. The context of a client is accepted as the configuration says.
#[cold]
pub(super) fn begin_trace(
    sampling: Sampling,
    request: &impl RequestView,
    trusted: impl Fn() -> bool,
) -> Trace {
    let accepted = sampling.accept_all || sampling.accept_trusted && trusted();
    if !accepted {
        return Trace::begin(sampling, None);
    }
    let values = |name: &'static str| {
        let fields = request.fields().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
        fields.map(|field| field.value)
    };
    let mut parents = values("traceparent");
    let parent = parents.next().filter(|_| parents.next().is_none()).and_then(TraceParent::parse);
    Trace::begin(sampling, parent.map(|parent| (parent, tracestate(values("tracestate")))))
}
