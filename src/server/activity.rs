//! What the socket of an HTTP/2 connection is doing. The wrapper of the socket writes it; the timeouts of the
//! connection read it. No clock is read here.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The last write or flush did not complete, because the client's receive window is full.
pub(super) const WRITE_BLOCKED: u32 = 1;

/// The counters of one connection. `Relaxed` is sufficient: the values are independent, and the readers poll
/// in the same task.
#[derive(Debug, Default)]
pub(super) struct Activity {
    flags: AtomicU32,
    writes: AtomicU32,
}

impl Activity {
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
