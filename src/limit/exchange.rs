//! The permits and the deadline of one exchange.

use tokio::time::Instant;

use super::concurrency::{ConcurrencyPermit, QueueTicket};

/// The permits that one exchange holds until its response has ended. Boxed where it is stored, because most
/// exchanges have none.
#[derive(Debug, Default)]
pub(crate) struct ExchangeLimits {
    /// When the response must have ended.
    pub(crate) deadline: Option<Instant>,
    /// The permit of the route.
    pub(crate) route: Option<ConcurrencyPermit>,
    /// The permit of the upstream.
    pub(crate) upstream: Option<ConcurrencyPermit>,
    /// The place in the upstream's queue.
    pub(crate) ticket: Option<QueueTicket>,
    /// The permit of the picked server.
    pub(crate) server: Option<ConcurrencyPermit>,
}

impl ExchangeLimits {
    /// Returns the limits, created on first use.
    pub(crate) fn of(limits: &mut Option<Box<Self>>) -> &mut Self {
        limits.get_or_insert_default()
    }
}
