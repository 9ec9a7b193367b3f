//! Trace contexts of W3C: `traceparent` and `tracestate`.

use std::sync::OnceLock;

use opentelemetry::trace::{SpanId, TraceId};

use crate::splitmix::mix;
use crate::telemetry::hex;
use crate::telemetry::thread::thread_counters;

/// The longest `tracestate` that is passed on (W3C Trace Context §3.3.1.5).
const LONGEST_STATE: usize = 512;

/// The length of a `traceparent`.
pub(super) const TRACEPARENT: usize = 55;

/// What a client says about the trace that its request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) sampled: bool,
}

impl TraceParent {
    /// Parses a `traceparent` (W3C Trace Context §3.2). Later versions may have more after the flags.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (version, rest) = text.split_once('-')?;
        let (trace_id, rest) = rest.split_once('-')?;
        let (span_id, rest) = rest.split_once('-')?;
        let (flags, more) = match rest.split_once('-') {
            None => (rest, false),
            Some((flags, _)) => (flags, true),
        };
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !hex(version, 2) || version == "ff" || (version == "00" && more) {
            return None;
        }
        if !hex(trace_id, 32) || !hex(span_id, 16) || !hex(flags, 2) {
            return None;
        }
        let trace_id = TraceId::from_hex(trace_id).ok().filter(|id| *id != TraceId::INVALID)?;
        let span_id = SpanId::from_hex(span_id).ok().filter(|id| *id != SpanId::INVALID)?;
        let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
        Some(Self { trace_id, span_id, sampled })
    }
}

/// Joins the values of `tracestate`. One that is too long, or not visible ASCII, is left out.
pub(crate) fn tracestate<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut state = String::new();
    for value in values {
        if !state.is_empty() {
            state.push(',');
        }
        let text = std::str::from_utf8(value).ok()?;
        if state.len() + text.len() > LONGEST_STATE
            || !text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        {
            return None;
        }
        state.push_str(text);
    }
    (!state.is_empty()).then_some(state)
}

/// Writes a `traceparent`.
pub(super) fn traceparent(trace_id: TraceId, span_id: SpanId, sampled: bool) -> [u8; TRACEPARENT] {
    let mut text = *b"00-................................-................-00";
    let (trace, rest) = text.split_at_mut(35);
    let (span, flags) = rest.split_at_mut(17);
    let (trace, span) = (trace.split_at_mut(3).1, span.split_at_mut(1).1);
    write_hex(trace, &trace_id.to_bytes());
    write_hex(span, &span_id.to_bytes());
    if let Some(last) = flags.last_mut() {
        *last += u8::from(sampled);
    }
    text
}

/// Writes bytes as hex digits.
fn write_hex(to: &mut [u8], bytes: &[u8]) {
    for (to, word) in to.as_chunks_mut().0.iter_mut().zip(bytes.as_chunks().0) {
        *to = hex::digits(u32::from_be_bytes(*word));
    }
}

/// Returns a new id of a trace, and of two spans. Ids are not secret.
pub(super) fn new_ids() -> (TraceId, SpanId, SpanId) {
    static PROCESS: OnceLock<[u64; 3]> = OnceLock::new();
    let process = PROCESS.get_or_init(|| {
        let mut random = [[0; 8]; 3];
        // Without randomness, ids are still unique in this process.
        let _ = random.iter_mut().try_for_each(|part| getrandom::fill(part));
        random.map(u64::from_le_bytes)
    });
    let [high, low, span] = process;
    let number = thread_counters().unique_number();
    let trace = u128::from(mix(high ^ number)) << 64 | u128::from(mix(low.wrapping_add(number)));
    let spans = span.wrapping_add(number.wrapping_mul(2));
    let span = |id: u64| SpanId::from_bytes(mix(id).max(1).to_be_bytes());
    (TraceId::from_bytes(trace.max(1).to_be_bytes()), span(spans), span(spans.wrapping_add(1)))
}

/// Decides by the trace id, as all services with the same ratio do, so that a trace is recorded whole or not
/// at all.
pub(super) fn is_sampled(trace_id: TraceId, ratio: u32) -> bool {
    let bytes = trace_id.to_bytes();
    let (_, low) = bytes.split_at(8);
    let low = u64::from_be_bytes(low.try_into().unwrap_or_default());
    // 63 random bits are compared with the ratio in millionths.
    u128::from(low >> 1) * 1_000_000 < u128::from(ratio) << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_parsed_strictly() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parsed = TraceParent::parse(good.as_bytes()).unwrap();
        assert_eq!(traceparent(parsed.trace_id, parsed.span_id, parsed.sampled), good.as_bytes());
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
        assert_eq!(TraceParent::parse(later.as_bytes()).map(|context| context.sampled), Some(false));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        ] {
            assert_eq!(TraceParent::parse(bad.as_bytes()), None, "{bad}");
        }
        let state = |values: &[&str]| tracestate(values.iter().map(|value| value.as_bytes()));
        assert_eq!(state(&["a=1", "b=2"]).as_deref(), Some("a=1,b=2"));
        assert_eq!(state(&[&"a".repeat(513)]), None);
        assert_eq!(state(&["a=1\u{1}"]), None);
    }

    #[test]
    fn ids_are_unique_and_fill_the_context() {
        let ids: Vec<_> = (0..1_000).map(|_| new_ids()).collect();
        let spans = ids.iter().flat_map(|(_, first, second)| [*first, *second]);
        assert_eq!(spans.collect::<std::collections::HashSet<_>>().len(), 2_000);
        assert_eq!(
            ids.iter().map(|(trace, ..)| *trace).collect::<std::collections::HashSet<_>>().len(),
            1_000
        );
        for (trace_id, span_id, _) in ids {
            for sampled in [false, true] {
                let parsed = TraceParent::parse(&traceparent(trace_id, span_id, sampled));
                assert_eq!(parsed, Some(TraceParent { trace_id, span_id, sampled }));
            }
        }
    }

    #[test]
    fn the_configured_share_of_ids_is_recorded() {
        let id = |low: u64| TraceId::from_bytes((u128::from(low) | 1 << 100).to_be_bytes());
        assert!(is_sampled(id(u64::MAX), 1_000_000) && !is_sampled(id(0), 0));
        assert!(is_sampled(id(u64::MAX / 2 - 2), 500_000) && !is_sampled(id(u64::MAX / 2 + 3), 500_000));
        let sampled = (0..10_000).filter(|_| is_sampled(new_ids().0, 100_000)).count();
        assert!((600..1_400).contains(&sampled), "{sampled}");
    }
}
