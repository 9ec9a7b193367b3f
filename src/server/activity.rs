//! What a connection is doing, noted by those who see it (socket, service, body) and read by the one who times it.
//!
//! No clock is read here: on the usual path a request costs a few uncontended atomics, and only transitions that are
//! slow by nature (half a head, a full send buffer) make [`drive`](super::drive) look at the time.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A request head began to arrive and is not complete.
pub(super) const HEAD_STARTED: u32 = 1;
/// The client's receive window is full: the last write or flush did not finish.
pub(super) const WRITE_BLOCKED: u32 = 2;

/// The notes of one connection. `Relaxed` suffices: each value stands alone, and the readers poll in the same task.
#[derive(Debug, Default)]
pub(super) struct Activity {
    flags: AtomicU32,
    in_flight: AtomicU32,
    requests: AtomicU32,
    writes: AtomicU32,
    /// Heads the scan has seen the end of, and how many before the first ambiguous one; neither for HTTP/2.
    heads: AtomicU32,
    clear_heads: AtomicU32,
}

impl Activity {
    /// A request head was complete and went to the handler.
    pub(super) fn request_begins(&self) {
        self.clear(HEAD_STARTED);
        self.in_flight.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// The scan saw the end of a head.
    pub(super) fn head_ends(&self, ambiguous: bool) {
        let heads = self.heads.load(Relaxed).saturating_add(1);
        self.heads.store(heads, Relaxed);
        // Once one was ambiguous, what comes after it on the connection is no clearer.
        if !ambiguous && self.clear_heads.load(Relaxed).saturating_add(1) == heads {
            self.clear_heads.store(heads, Relaxed);
        }
    }

    /// Whether every request so far had a head that the scan has seen.
    pub(super) fn heads_are_in_step(&self) -> bool {
        self.heads.load(Relaxed) == self.requests.load(Relaxed)
    }

    /// Whether the head of the request in hand was seen and is clear.
    pub(super) fn head_is_clear(&self) -> bool {
        self.requests.load(Relaxed) <= self.clear_heads.load(Relaxed)
    }

    /// The answer to a request was handed over whole, or was given up.
    pub(super) fn request_ends(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Requests between their head and the end of their answer.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Requests begun so far; wraps, so compare for equality only.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Bytes came in. Outside a request they are the beginning of a head.
    pub(super) fn bytes_read(&self) {
        if self.in_flight() == 0 {
            self.set(HEAD_STARTED);
        }
    }

    /// The socket took bytes; wraps.
    pub(super) fn bytes_written(&self) {
        self.writes.store(self.writes.load(Relaxed).wrapping_add(1), Relaxed);
        self.clear(WRITE_BLOCKED);
    }

    /// A count that moves whenever the client made room.
    pub(super) fn writes(&self) -> u32 {
        self.writes.load(Relaxed)
    }

    pub(super) fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    /// Only the connection's own task sets and clears flags, so a load and a store are enough.
    pub(super) fn set(&self, flag: u32) {
        let flags = self.flags();
        if flags & flag == 0 {
            self.flags.store(flags | flag, Relaxed);
        }
    }

    pub(super) fn clear(&self, flag: u32) {
        let flags = self.flags();
        if flags & flag != 0 {
            self.flags.store(flags & !flag, Relaxed);
        }
    }
}
