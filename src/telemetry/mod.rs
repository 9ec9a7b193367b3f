//! What happens here, for those who run it: metrics, the access log, request ids.
//!
//! Counting costs a request no lock, no allocation and no cache line of another thread: every thread owns its block of
//! numbers and alone writes it, and whoever asks sums them up. Nothing that a client sends becomes a label.
//!
//! This room knows of nothing but numbers and lines. What they mean is filled in by the rooms that use it, above all by
//! `proxy/observe.rs`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(crate) mod access_log;
mod exposition;
mod listener;
mod meter;
mod process;
mod reason;
pub(crate) mod request_id;
mod scrape;
mod thread;

pub(crate) use listener::MetricsListener;
pub(crate) use meter::{Class, Meter, RouteCells, UpstreamCells, UpstreamFailure};
pub(crate) use reason::Reason;
pub(crate) use scrape::{Gauges, note_reload, render};
pub(crate) use thread::{EndpointName, Event, GaugeGuard, count, mine};

static TIMED: AtomicBool = AtomicBool::new(false);

/// Whether somebody wants to know how long requests take: a look at the clock, and two histograms, for each of them.
#[inline]
pub(crate) fn is_timed() -> bool {
    TIMED.load(Relaxed) || access_log::is_on()
}

/// The process begins.
pub(crate) fn note_start() {
    process::started();
}
