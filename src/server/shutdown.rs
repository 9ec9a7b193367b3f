//! How the process is asked to end, and how connections hear of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

/// What the process was asked to do. Only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    Drain,
    Stop,
}

/// Ends a running server from any thread.
#[derive(Clone, Debug)]
pub(crate) struct ShutdownHandle {
    phase: Arc<watch::Sender<Phase>>,
}

impl ShutdownHandle {
    pub(super) fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)) }
    }

    /// Stops accepting, closes idle connections, and lets requests in flight finish within the grace time.
    pub(crate) fn drain(&self) {
        self.advance(Phase::Drain);
    }

    /// Ends at once, in the middle of a drain too.
    pub(crate) fn stop(&self) {
        self.advance(Phase::Stop);
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = *phase < to;
            if forward {
                *phase = to;
            }
            forward
        });
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}

/// Tells connections that a drain began. The flag is what they look at, the notification only wakes them.
#[derive(Clone, Debug)]
pub(crate) struct DrainSignal {
    shared: Arc<DrainShared>,
}

#[derive(Debug)]
struct DrainShared {
    draining: Arc<AtomicBool>,
    wake: Arc<Notify>,
}

impl DrainSignal {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(DrainShared {
                draining: Arc::new(AtomicBool::new(false)),
                wake: Arc::new(Notify::new()),
            }),
        }
    }

    pub(super) fn start(&self) {
        self.shared.draining.store(true, Ordering::Release);
        self.shared.wake.notify_waiters();
    }

    /// Whether the process is ending.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// The flag itself, for those who know nothing of the server.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.draining)
    }

    /// A wake-up that cannot be missed if it is made before [`is_draining`](Self::is_draining) is looked at.
    pub(super) fn woken(&self) -> tokio::sync::futures::OwnedNotified {
        Arc::clone(&self.shared.wake).notified_owned()
    }
}
