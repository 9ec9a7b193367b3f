//! The thread that writes the journal. A request waits for it only if its response requires that a change is
//! durable.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::{Clock, SystemClock};
use crate::store::journal::batch::Batch;
use crate::store::journal::boot::{BootClock, Moment};
use crate::store::journal::file::JournalFile;
use crate::store::journal::sync::{Syncer, Waiting};
use crate::store::token_store::{BoxFuture, StoreError};

/// How long issued tokens are collected before they are written. Together with the write, this stays below
/// the 10 ms of tokens that a killed process may lose.
const GATHER: Duration = Duration::from_millis(3);
/// How old the oldest token that is not written may be before new tokens wait for their write, in
/// milliseconds. A busy machine may run the thread late.
const LATE: u64 = 5;
/// How often the current time is recorded, and everything that was written is synced.
const TICK: Duration = Duration::from_secs(1);
/// How often a failed write is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// The number of ticks between two compactions.
const COMPACT_EVERY: u32 = 10;

/// The state that the threads that serve requests share with the thread that writes.
#[derive(Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    failing: AtomicBool,
    /// Whether the log is about to begin again, for which the next write waits for the disk.
    restarting: AtomicBool,
    clock: SystemClock,
    /// When the oldest change in the queue was added, in milliseconds, or 0.
    queued_since: AtomicU64,
    /// When the oldest change of the write that is going on was added, in milliseconds, or 0.
    writing_since: AtomicU64,
    #[cfg(test)]
    pub(super) broken: AtomicBool,
}

#[derive(Default)]
struct Queue {
    batch: Batch,
    /// The waiters for the batch to be written and synced.
    waiting: Waiting,
    /// The waiters for the batch to be written.
    unwritten: Waiting,
    stop: bool,
    /// Whether nothing is written any more.
    closed: bool,
}

impl Shared {
    /// Returns whether the last attempt to write has failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Adds changes to the next batch.
    pub(super) fn add(&self, add: impl FnOnce(&mut Batch)) {
        let mut queue = self.lock();
        let was_empty = queue.batch.is_empty();
        self.note_change(&queue);
        add(&mut queue.batch);
        drop(queue);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Adds changes to the next batch. The future completes when they are written and survive a power loss.
    pub(super) fn add_for_good(
        &self,
        add: impl FnOnce(&mut Batch),
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let (sender, done) = oneshot::channel();
        let mut queue = self.lock();
        self.note_change(&queue);
        add(&mut queue.batch);
        queue.waiting.push(sender);
        drop(queue);
        self.wake.notify_one();
        // The sender is dropped if writing fails.
        Box::pin(async move { done.await.map_err(|_| StoreError::Unavailable) })
    }

    /// Records when the first change of a batch is added.
    fn note_change(&self, queue: &Queue) {
        if queue.batch.is_empty() {
            self.queued_since.store(self.clock.now().as_u64(), Ordering::Relaxed);
        }
    }

    /// Returns whether a token that is issued now may stay unwritten for longer than usual, because the disk
    /// is slow or the machine is busy.
    pub(super) fn is_late(&self) -> bool {
        if self.restarting.load(Ordering::Relaxed) {
            return true;
        }
        let is_old = |since: &AtomicU64| {
            let since = since.load(Ordering::Relaxed);
            since != 0 && self.clock.now().as_u64().saturating_sub(since) > LATE
        };
        is_old(&self.queued_since) || is_old(&self.writing_since)
    }

    /// Adds changes to the next batch. The future completes when they are written, so that a killed process
    /// does not lose them.
    pub(super) fn add_until_written(
        &self,
        add: impl FnOnce(&mut Batch),
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let done = self.await_write(add);
        Box::pin(async move { done.await.map_err(|_| StoreError::Unavailable) })
    }

    fn await_write(&self, add: impl FnOnce(&mut Batch)) -> oneshot::Receiver<()> {
        let (sender, done) = oneshot::channel();
        let mut queue = self.lock();
        self.note_change(&queue);
        add(&mut queue.batch);
        if !queue.closed {
            queue.unwritten.push(sender);
        }
        drop(queue);
        self.wake.notify_one();
        done
    }

    /// Lets new tokens wait for their write while `restart` makes the log begin again, until the first write
    /// after it. All earlier tokens are written before.
    pub(super) fn while_restarting(&self, restart: &mut dyn FnMut()) {
        self.restarting.store(true, Ordering::Relaxed);
        // The outcome does not matter: a write that fails is reported by the thread that writes.
        let _ = self.await_write(|_| ()).blocking_recv();
        restart();
        let _ = self.await_write(|_| ()).blocking_recv();
        self.restarting.store(false, Ordering::Relaxed);
    }

    /// Ends the thread that writes, after it has written everything.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.wake.notify_one();
    }

    /// Drops those who wait for a write, because there is none any more.
    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.unwritten.clear();
    }

    /// A thread that panicked with the lock held left at worst a token that is not written.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for changes, at most for `at_most`, and takes them.
    fn take(&self, at_most: Duration) -> Queue {
        let is_urgent =
            |queue: &Queue| !queue.waiting.is_empty() || !queue.unwritten.is_empty() || queue.stop;
        let idle = |queue: &mut Queue| queue.batch.is_empty() && !is_urgent(queue);
        let wake = &self.wake;
        let waited = wake.wait_timeout_while(self.lock(), at_most, idle);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !queue.batch.is_empty() && !is_urgent(&queue) {
            // This thread may have been woken late.
            let since = self.queued_since.load(Ordering::Relaxed);
            let waiting = Duration::from_millis(self.clock.now().as_u64().saturating_sub(since));
            let left = GATHER.saturating_sub(waiting);
            let waited = wake.wait_timeout_while(queue, left, |queue| !is_urgent(queue));
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let stop = queue.stop;
        self.writing_since.store(self.queued_since.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        std::mem::replace(&mut *queue, Queue { stop, ..Queue::default() })
    }
}

/// The clocks of the journal.
pub(super) struct Clocks {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) boot: Arc<dyn BootClock>,
    pub(super) boot_id: String,
}

impl Clocks {
    pub(super) fn now(&self) -> Moment {
        let wall = i64::try_from(self.clock.unix_time().as_millis()).unwrap_or(i64::MAX);
        Moment { boot_id: self.boot_id.clone(), boot: self.boot.boot_millis(), wall }
    }
}

/// Writes batches until it is asked to stop.
pub(super) fn run(shared: &Shared, mut file: JournalFile, syncer: Syncer, clocks: &Clocks) {
    // The changes that could not be written yet. They are tried again with the next batch, and none is
    // dropped.
    let mut unwritten = Batch::default();
    // The journal is compacted soon: much may have expired while no gateway was running.
    let (mut last_tick, mut ticks, mut unsynced) = (clocks.now().boot, COMPACT_EVERY, false);
    loop {
        let Queue { batch, waiting, unwritten: waiting_for_write, stop, closed: _ } =
            shared.take(if shared.is_failing() { RETRY } else { TICK });
        unwritten.append(batch);
        let now = clocks.now();
        let is_due = now.boot.abs_diff(last_tick) >= TICK.as_millis() as u64 || stop;
        let is_awaited = !waiting.is_empty() || !waiting_for_write.is_empty();
        if unwritten.is_empty() && !is_awaited && !is_due && !syncer.has_failed() {
            continue;
        }
        // The last batch is synced here.
        let written = recover(&file, &syncer).and_then(|()| write(shared, &mut file, &unwritten, &now, stop));
        shared.writing_since.store(0, Ordering::Relaxed);
        match written {
            Ok(()) => {
                for waiting in waiting_for_write {
                    let _ = waiting.send(());
                }
                unsynced |= !unwritten.is_empty();
                unwritten = Batch::default();
                if shared.failing.swap(false, Ordering::Relaxed) {
                    log::info!(
                        "{} can be written again: tokens are issued and revoked",
                        file.path().display()
                    );
                }
                if stop {
                    for waiting in waiting {
                        let _ = waiting.send(());
                    }
                } else if !waiting.is_empty() || is_due && unsynced {
                    syncer.sync(waiting);
                    unsynced = false;
                }
            }
            Err(error) => {
                if !shared.failing.swap(true, Ordering::Relaxed) {
                    log::error!(
                        "{} cannot be written ({error}): issuing and revoking tokens is answered with 503, requests with \
                         valid tokens go on",
                        file.path().display()
                    );
                }
            }
        }
        if is_due {
            last_tick = now.boot;
            ticks += 1;
        }
        // SQLite reuses the numbers of deleted rows. A process that follows the journal would not notice such
        // rows.
        if ticks >= COMPACT_EVERY && !shared.is_failing() && !file.own_rows().are_kept() {
            // Rows that are left after an error are deleted the next time. The next write reports the error.
            if !matches!(file.compact(now.boot), Ok(true)) {
                ticks = 0;
            }
        }
        if stop {
            shared.close();
            syncer.finish();
            return;
        }
    }
}

/// Makes data durable after a failed sync, by copying the log into the database.
fn recover(file: &JournalFile, syncer: &Syncer) -> rusqlite::Result<()> {
    if syncer.has_failed() {
        file.copy_log()?;
        syncer.recovered();
    }
    Ok(())
}

fn write(
    shared: &Shared,
    file: &mut JournalFile,
    batch: &Batch,
    now: &Moment,
    sync: bool,
) -> rusqlite::Result<()> {
    #[cfg(test)]
    if shared.broken.load(Ordering::Relaxed) {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            None,
        ));
    }
    #[cfg(not(test))]
    let _ = shared;
    file.commit(batch, now, sync)
}
