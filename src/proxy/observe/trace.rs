//! The attempts to send a request upstream, as metrics and the access log need them.

use tokio::time::Instant;

use crate::clock::turn;
use crate::proxy::body::request::BodyOutcome;
use crate::telemetry::{is_timed, thread_counters};
use crate::upstream::group::Upstream;
use crate::upstream::server::Server;

/// The attempts to send a request upstream.
#[derive(Default)]
pub(crate) struct UpstreamTrace {
    /// When the first attempt started, or when an endpoint started to read the body.
    pub(super) started_at: Option<Instant>,
    /// When the head of the response arrived.
    pub(super) head_at: Option<Instant>,
    attempts: u32,
    /// The key of the server of the last attempt.
    pub(super) server: Option<u64>,
    /// Whether the request is counted as in flight at its upstream.
    pub(super) counted: bool,
    /// The progress of the request body.
    pub(crate) body: Option<BodyOutcome>,
}

impl UpstreamTrace {
    /// Counts the request as in flight at this upstream.
    #[inline]
    pub(crate) fn begin(&mut self, upstream: &Upstream) {
        if let Some(cells) = upstream.meter.cells(thread_counters()) {
            cells.begin();
            self.counted = true;
        }
    }

    /// Records that the request is sent to this server.
    #[inline]
    pub(crate) fn begin_attempt(&mut self, server: &Server, now: Instant) {
        self.started_at.get_or_insert(now);
        self.attempts += 1;
        self.server = Some(server.key);
    }

    /// Records that the head of the response has arrived. This is the only time that the trace reads the
    /// clock.
    #[inline]
    pub(crate) fn end_attempt(&mut self) {
        if is_timed() {
            self.head_at = Some(turn::now());
        }
    }

    /// Returns the number of retries.
    pub(super) fn retries(&self) -> u32 {
        self.attempts.saturating_sub(1)
    }
}
