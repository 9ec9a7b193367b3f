//! Shutdown: how the process is asked to stop, and how connections are notified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

use crate::telemetry;

/// The phase of the shutdown. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    HandOver,
    Drain,
    Stop,
}

/// Stops a running server, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct ShutdownHandle {
    phase: Arc<watch::Sender<Phase>>,
}

impl ShutdownHandle {
    pub(super) fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)) }
    }

    /// Stops accepting connections because another process accepts on the same sockets. Requests in flight
    /// may complete within the grace time. Idle HTTP/1 connections stay open for half of that time.
    pub(crate) fn hand_over(&self) {
        self.advance(Phase::HandOver);
    }

    /// Stops accepting connections, closes idle connections, and lets requests in flight complete within the
    /// grace time.
    pub(crate) fn drain(&self) {
        self.advance(Phase::Drain);
    }

    /// Stops immediately, even during a drain.
    pub(crate) fn stop(&self) {
        self.advance(Phase::Stop);
    }

    fn advance(&self, to: Phase) {
        telemetry::record_end();
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

/// Notifies connections of a drain. They check the flag; the notification only wakes them.
#[derive(Clone, Debug)]
pub(crate) struct DrainSignal {
    shared: Arc<DrainShared>,
}

#[derive(Debug)]
struct DrainShared {
    draining: Arc<AtomicBool>,
    closing_idle: AtomicBool,
    wake: Arc<Notify>,
    wake_idle: Arc<Notify>,
}

impl DrainSignal {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(DrainShared {
                draining: Arc::new(AtomicBool::new(false)),
                closing_idle: AtomicBool::new(false),
                wake: Arc::new(Notify::new()),
                wake_idle: Arc::new(Notify::new()),
            }),
        }
    }

    pub(super) fn start(&self) {
        self.shared.draining.store(true, Ordering::Release);
        self.shared.wake.notify_waiters();
    }

    /// Closes HTTP/1 connections without a request. It may be called repeatedly.
    pub(super) fn close_idle(&self) {
        if !self.shared.closing_idle.swap(true, Ordering::AcqRel) {
            self.shared.wake_idle.notify_waiters();
        }
    }

    /// Returns whether HTTP/1 connections without a request are to be closed.
    pub(super) fn closes_idle(&self) -> bool {
        self.shared.closing_idle.load(Ordering::Acquire)
    }

    /// Works like [`woken`](Self::woken), but for [`closes_idle`](Self::closes_idle).
    pub(super) fn woken_if_idle(&self) -> tokio::sync::futures::OwnedNotified {
        Arc::clone(&self.shared.wake_idle).notified_owned()
    }

    /// Returns whether a drain has begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// Returns the flag itself, for modules that do not depend on the server.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.draining)
    }

    /// Returns a notification that cannot be missed if it is created before
    /// [`is_draining`](Self::is_draining) is checked.
    pub(super) fn woken(&self) -> tokio::sync::futures::OwnedNotified {
        Arc::clone(&self.shared.wake).notified_owned()
    }
}
