//! Heartbeats of the worker threads for a watchdog.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Heartbeats of the worker threads. Each worker sends one per period while its runtime makes progress.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeats {
    period: Duration,
    beats: Arc<[AtomicBool]>,
}

impl Heartbeats {
    pub(super) fn new(workers: usize, period: Duration) -> Self {
        Self { period, beats: (0..workers).map(|_| AtomicBool::new(false)).collect() }
    }

    /// Returns whether every worker has sent a heartbeat since the last call.
    pub(crate) fn all_alive(&self) -> bool {
        // All flags are reset, including those after the first missing one.
        self.beats.iter().filter(|beat| !beat.swap(false, Relaxed)).count() == 0
    }

    /// Sends the heartbeats of one worker. It runs on the worker's own thread.
    pub(super) async fn beat(self, worker: usize) {
        let Some(beat) = self.beats.get(worker) else { return };
        loop {
            beat.store(true, Relaxed);
            tokio::time::sleep(self.period).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_are_alive_only_while_every_worker_is() {
        let beats = Heartbeats::new(2, Duration::from_secs(1));
        let first = tokio::spawn(beats.clone().beat(0));
        tokio::spawn(beats.clone().beat(1));
        let pause = || tokio::time::sleep(Duration::from_millis(1500));
        pause().await;
        assert!(beats.all_alive());
        pause().await;
        assert!(beats.all_alive());
        first.abort();
        pause().await;
        beats.all_alive();
        pause().await;
        assert!(!beats.all_alive());
    }
}
