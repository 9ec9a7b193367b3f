//! A request's way to a server and back.

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::body::BodyOutcome;
use super::super::upstream::{Server, Upstream};
use super::Watch;
use crate::telemetry::{is_timed, mine};

/// What is noted of a request on its way to a server and back.
#[derive(Default)]
pub(in crate::proxy) struct Trip {
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
    pub(in crate::proxy) body: Option<BodyOutcome>,
    /// Where to leave the watch of a request that became a tunnel.
    pub(in crate::proxy) tunnel: Option<oneshot::Sender<Watch>>,
}

impl Trip {
    /// It is on its way to this upstream.
    #[inline]
    pub(in crate::proxy) fn departs(&mut self, upstream: &Upstream) {
        if let Some(cells) = upstream.meter.cells(mine()) {
            cells.begin();
            self.counted = true;
        }
    }

    /// It goes to this server now.
    #[inline]
    pub(in crate::proxy) fn goes_to(&mut self, server: &Server, now: Instant) {
        self.began.get_or_insert(now);
        self.tries += 1;
        self.server = Some(server.key);
    }

    /// The head of the upstream's answer is there: the one look at the clock that all this costs.
    #[inline]
    pub(in crate::proxy) fn returns(&mut self) {
        if is_timed() {
            self.head_at = Some(Instant::now());
        }
    }

    /// How often it was sent again.
    pub(super) fn retries(&self) -> u32 {
        self.tries.saturating_sub(1)
    }
}
