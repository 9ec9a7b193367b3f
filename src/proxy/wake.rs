//! Waking the task that drives a connection, but not for what it does itself.
//!
//! Both ends of hyper's client (the handle that sends, the future that moves bytes) are polled by one task here. They
//! wake each other at every step, which would have the task polled twice as often, the second time for nothing.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Nobody polls: a wake is for the task.
const OUTSIDE: u8 = 0;
/// The task polls: a wake is noted.
const INSIDE: u8 = 1;
/// It has been woken while it polled.
const WOKEN: u8 = 2;

/// Steps that may follow from each other in one poll before others get their turn.
const MOST_STEPS: usize = 8;

struct Shared {
    state: AtomicU8,
    /// The task that uses the connection now.
    task: Mutex<Option<Waker>>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = self.state.compare_exchange(INSIDE, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if noted == Err(OUTSIDE)
            && let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner)
        {
            task.wake_by_ref();
        }
    }
}

/// The waker of one connection.
pub(super) struct InnerWaker {
    shared: Arc<Shared>,
    waker: Waker,
}

impl InnerWaker {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared { state: AtomicU8::new(OUTSIDE), task: Mutex::default() });
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Polls until nothing more follows from what the poll itself did.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        {
            let mut task = self.shared.task.lock().unwrap_or_else(PoisonError::into_inner);
            if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
        }
        let mut inner = Context::from_waker(&self.waker);
        for _ in 0..MOST_STEPS {
            self.shared.state.store(INSIDE, Ordering::Release);
            let polled = step(&mut inner);
            let woken = self.shared.state.swap(OUTSIDE, Ordering::AcqRel) == WOKEN;
            if polled.is_ready() || !woken {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does something that would wake the task which is doing it, and which polls next.
    pub(super) fn quietly<T>(&mut self, act: impl FnOnce() -> T) -> T {
        self.shared.state.store(INSIDE, Ordering::Release);
        let done = act();
        self.shared.state.store(OUTSIDE, Ordering::Release);
        done
    }

    /// Nobody uses the connection: nobody is to be woken for it.
    pub(super) fn release(&mut self) {
        *self.shared.task.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(AtomicU8);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_a_poll_does_itself_is_followed_up_at_once_and_what_others_do_wakes_the_task() {
        let count = Arc::new(Count(AtomicU8::new(0)));
        let task = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&task);
        let mut waker = InnerWaker::new();
        let mut steps = 0;
        let mut kept = None;
        let polled: Poll<()> = waker.poll(&mut cx, |inner| {
            steps += 1;
            kept = Some(inner.waker().clone());
            if steps < 3 {
                inner.waker().wake_by_ref();
            }
            Poll::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((steps, count.0.load(Ordering::Relaxed)), (3, 0));
        kept.as_ref().unwrap().wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        waker.release();
        kept.unwrap().wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_never_rests_gives_others_their_turn() {
        let count = Arc::new(Count(AtomicU8::new(0)));
        let task = Waker::from(Arc::clone(&count));
        let mut steps = 0;
        let polled: Poll<()> = InnerWaker::new().poll(&mut Context::from_waker(&task), |inner| {
            steps += 1;
            inner.waker().wake_by_ref();
            Poll::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((steps, count.0.load(Ordering::Relaxed)), (MOST_STEPS, 1));
    }
}
