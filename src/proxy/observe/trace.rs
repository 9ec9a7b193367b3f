//! A request's way to a server and back.

use tokio::time::Instant;

use crate::clock::turn;
use crate::proxy::body::request::BodyOutcome;
use crate::telemetry::{is_timed, mine};
use crate::upstream::group::Upstream;
use crate::upstream::server::Server;

/// What is noted of a request on its way to a server and back.
#[derive(Default)]
pub(crate) struct UpstreamTrace {
    /// When it began to wait for somebody.
    pub(super) began: Option<Instant>,
    /// When there was the head of an answer.
    pub(super) head_at: Option<Instant>,
    tries: u32,
    /// The key of the server that was asked last.
    pub(super) server: Option<u64>,
    /// Whether it is counted as under way at its upstream.
    pub(super) counted: bool,
    /// How much of its body there was.
    pub(crate) body: Option<BodyOutcome>,
}

impl UpstreamTrace {
    /// It is on its way to this upstream.
    #[inline]
    pub(crate) fn departs(&mut self, upstream: &Upstream) {
        if let Some(cells) = upstream.meter.cells(mine()) {
            cells.begin();
            self.counted = true;
        }
    }

    /// It goes to this server now.
    #[inline]
    pub(crate) fn goes_to(&mut self, server: &Server, now: Instant) {
        self.began.get_or_insert(now);
        self.tries += 1;
        self.server = Some(server.key);
    }

    /// The head of the upstream's answer is there: the one look at the clock that all this costs.
    #[inline]
    pub(crate) fn returns(&mut self) {
        if is_timed() {
            self.head_at = Some(turn::now());
        }
    }

    /// How often it was sent again.
    pub(super) fn retries(&self) -> u32 {
        self.tries.saturating_sub(1)
    }
}
