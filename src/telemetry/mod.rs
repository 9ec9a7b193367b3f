//! Observability: metrics, the access log and request ids.
//!
//! Counting costs a request no lock, no allocation and no cache line of another thread: every thread has its
//! own counters, which only it writes, and the metrics endpoint sums them. Nothing that a client sends
//! becomes a label.
//!
//! This module knows only counters and lines. The modules that use it give them their meaning, mainly
//! `proxy/observe/`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(crate) mod access_log;
mod certificates;
pub(crate) mod details;
mod exposition;
mod hex;
mod json;
mod listener;
mod meter;
mod process;
mod readiness;
mod reason;
pub(crate) mod request_id;
mod scrape;
pub(crate) mod security_log;
mod setting;
mod shared_store;
mod sink;
mod thread;
mod totals;
pub(crate) mod tracing;

pub(crate) use certificates::{record_order, set_certificate_ends};
pub(crate) use json::Escaped;
pub(crate) use listener::MetricsListener;
pub(crate) use meter::{Class, Meter, RouteCells, UpstreamCells, UpstreamFailure};
pub(crate) use readiness::{is_serving, record_end, record_serving};
pub(crate) use reason::Reason;
pub(crate) use scrape::{Gauges, record_reload, render};
pub(crate) use thread::{EndpointName, Event, GaugeGuard, count, thread_counters};
#[cfg(test)]
pub(crate) use totals::RouteTotals;
pub(crate) use totals::{BUCKETS, Totals, quantile};

static TIMED: AtomicBool = AtomicBool::new(false);

/// Returns whether requests are timed, which costs a read of the clock and two histograms per request.
#[inline]
pub(crate) fn is_timed() -> bool {
    TIMED.load(Relaxed) || details::are_recorded()
}

/// Records the start time of the process.
pub(crate) fn record_start() {
    process::started();
}
