//! What an HTTP/2 connection is doing, noted by those who see it (socket, service, body) and read by the one who times it.
//!
//! No clock is read here: on the usual path a request costs a few uncontended atomics, and only a full send buffer makes
//! [`drive`](super::drive) look at the time.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The client's receive window is full: the last write or flush did not finish.
pub(super) const WRITE_BLOCKED: u32 = 1;

/// The notes of one connection. `Relaxed` suffices: each value stands alone, and the readers poll in the same task.
#[derive(Debug, Default)]
pub(super) struct Activity {
    flags: AtomicU32,
    in_flight: AtomicU32,
    requests: AtomicU32,
    writes: AtomicU32,
}

impl Activity {
    /// A request went to the handler.
    pub(super) fn request_begins(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// The response to a request was handed over whole, or was given up.
    pub(super) fn request_ends(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Requests between their head and the end of their response.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Requests begun so far; wraps, so compare for equality only.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
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
