//! The counters of a shared store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that many threads change, each rarely.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a shared store.
#[derive(Default)]
pub(super) struct Stats {
    /// Queried tokens: known, unknown, and without a response.
    pub(super) known: Counter,
    pub(super) unknown: Counter,
    pub(super) unanswered: Counter,
    /// Reads of the log that were completed.
    pub(super) reads: Counter,
    /// The duration of the last read, in microseconds.
    pub(super) round_trip: Counter,
    /// How many entries of the log were not read yet.
    pub(super) behind: Counter,
    /// How often memory was cleared, because a revocation may have been missed.
    pub(super) cleared: Counter,
    /// Revocations that no replica has confirmed in time.
    pub(super) unconfirmed: Counter,
    /// The gateways whose clients differ from those of this gateway.
    pub(super) differing: Counter,
}

/// What a shared store reports about itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SharedStoreStatus {
    /// Whether the engine can be reached.
    pub connected: bool,
    /// The time since the last completed read of the log was sent.
    pub lease_age: Option<Duration>,
    /// How many entries of the log were not read yet.
    pub entries_behind: u64,
    /// How long the last read of the log took.
    pub round_trip: Duration,
    /// Reads of the log.
    pub reads: u64,
    /// Tokens that were not in memory and that the engine knew.
    pub misses_known: u64,
    /// Tokens that were not in memory and that the engine did not know.
    pub misses_unknown: u64,
    /// Tokens that were not in memory and about which the engine did not answer.
    pub misses_unanswered: u64,
    /// Revoked tokens that are stored until they would have expired.
    pub tombstones: usize,
    /// How often memory was cleared, because a revocation may have been missed.
    pub cleared: u64,
    /// Revocations that no replica has confirmed in time.
    pub unconfirmed: u64,
    /// The gateways on the engine, with this one.
    pub gateways: usize,
    /// The gateways whose clients differ from those of this gateway.
    pub differing_gateways: usize,
}
