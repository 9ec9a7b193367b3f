//! Counters of what an HTTP/2 connection is doing. The socket, the service and the response body write them;
//! the timeout logic in [`drive`](super::drive) reads them.
//!
//! No clock is read here. A typical request costs a few uncontended atomic operations.
//! [`drive`](super::drive) reads the clock only when the send buffer is full.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The last write or flush did not complete, because the client's receive window is full.
pub(super) const WRITE_BLOCKED: u32 = 1;

/// The counters of one connection. `Relaxed` is sufficient: the values are independent, and the readers poll
/// in the same task.
#[derive(Debug, Default)]
pub(super) struct Activity {
    flags: AtomicU32,
    in_flight: AtomicU32,
    requests: AtomicU32,
    writes: AtomicU32,
}

impl Activity {
    /// Counts a request that was passed to the handler.
    pub(super) fn request_begins(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// Counts a response that was sent completely or abandoned.
    pub(super) fn request_ends(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Returns the number of requests in flight: from the request head to the end of the response.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Returns the number of requests received so far. The counter wraps, so compare it for equality only.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Counts a write in which the socket accepted bytes. The counter wraps.
    pub(super) fn bytes_written(&self) {
        self.writes.store(self.writes.load(Relaxed).wrapping_add(1), Relaxed);
        self.clear(WRITE_BLOCKED);
    }

    /// Returns a counter that changes whenever the socket accepted bytes.
    pub(super) fn writes(&self) -> u32 {
        self.writes.load(Relaxed)
    }

    pub(super) fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    /// Sets a flag. Only the connection's own task changes flags, so a load and a store are sufficient.
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
