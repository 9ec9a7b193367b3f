//! Wakes the connection's task, and records which of its parts were woken.
//!
//! All streams of a connection run in the connection's task. A part that is woken sets its bit, and the next
//! poll of the task polls only the parts whose bits are set. What a part wakes while the task runs is polled
//! before the task sleeps, without the scheduler.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

const WORDS: usize = 4;

/// The number of parts.
pub(super) const PARTS: usize = WORDS * 64;

/// The parts that were woken, one bit for each.
pub(super) type Woken = [u64; WORDS];

/// The wakers of one connection.
#[derive(Default)]
pub(super) struct Wakers {
    woken: [AtomicU64; WORDS],
    /// Whether the task runs. It looks at `woken` before it sleeps.
    running: AtomicBool,
    task: Mutex<Option<Waker>>,
}

/// Wakes one part.
struct PartWaker {
    wakers: Arc<Wakers>,
    part: usize,
}

impl Wake for PartWaker {
    fn wake(self: Arc<Self>) {
        self.wakers.wake(self.part);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakers.wake(self.part);
    }
}

impl Wakers {
    /// Returns the waker of a part, which is below [`PARTS`].
    pub(super) fn waker(self: &Arc<Self>, part: usize) -> Waker {
        Waker::from(Arc::new(PartWaker { wakers: Arc::clone(self), part }))
    }

    /// Wakes a part.
    pub(super) fn wake(&self, part: usize) {
        let Some(word) = self.woken.get(part / 64) else { return };
        let bit = 1 << (part % 64);
        let is_new = word.fetch_or(bit, SeqCst) & bit == 0;
        if is_new && !self.running.load(SeqCst) {
            self.wake_task();
        }
    }

    /// Wakes the task itself.
    fn wake_task(&self) {
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }

    /// Sets the waker of the task.
    pub(super) fn set_task(&self, task: &Waker) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.clone());
    }

    /// The task begins to run.
    pub(super) fn begin(&self) {
        // A thread that does not see this yet wakes the task once too often.
        self.running.store(true, Relaxed);
    }

    /// Takes the parts that were woken. Returns `None` if there are none.
    pub(super) fn take(&self) -> Option<Woken> {
        let mut woken = Woken::default();
        for (taken, word) in woken.iter_mut().zip(&self.woken) {
            if word.load(SeqCst) != 0 {
                *taken = word.swap(0, SeqCst);
            }
        }
        (woken != Woken::default()).then_some(woken)
    }

    /// The task sleeps. It is woken again if a part was woken since the last [`take`](Self::take).
    pub(super) fn end(&self) {
        self.running.store(false, SeqCst);
        if self.woken.iter().any(|word| word.load(SeqCst) != 0) {
            self.wake_task();
        }
    }
}

/// Returns the parts in `woken`.
pub(super) fn parts(woken: Woken) -> impl Iterator<Item = usize> {
    woken.into_iter().enumerate().flat_map(|(index, mut word)| {
        std::iter::from_fn(move || {
            let bit = usize::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
            word &= word - 1;
            Some(index * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts its wakeups.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    impl Task {
        fn wakeups(&self) -> usize {
            self.0.load(SeqCst)
        }
    }

    #[test]
    fn the_task_is_woken_only_while_it_sleeps_and_learns_every_part() {
        let (wakers, task) = (Arc::new(Wakers::default()), Arc::new(Task::default()));
        let (low, high) = (wakers.waker(1), wakers.waker(PARTS - 1));
        wakers.set_task(&Waker::from(Arc::clone(&task)));
        wakers.begin();
        low.wake_by_ref();
        high.wake_by_ref();
        assert_eq!(task.wakeups(), 0, "it runs");
        assert_eq!(wakers.take().map(|woken| parts(woken).collect()), Some(vec![1, PARTS - 1]));
        assert_eq!(wakers.take(), None);
        wakers.end();
        assert_eq!(task.wakeups(), 0, "nothing was woken");
        low.wake_by_ref();
        low.wake_by_ref();
        assert_eq!(task.wakeups(), 1, "once for each bit");
        wakers.begin();
        wakers.end();
        assert_eq!(task.wakeups(), 2, "the bit is still set");
    }
}
