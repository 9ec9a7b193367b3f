//! Time limits that work in any runtime.
//!
//! A tokio timer would panic in a program without a tokio runtime. The gate has a thread that reads its clock
//! anyway, the sweeper, which also wakes the tasks whose time is over. Limits are therefore as precise as the
//! sweeper's interval.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::clock::{Clock, Millis};

/// The waiting tasks and their deadlines: one entry for each request whose body is incomplete.
#[derive(Default)]
pub(super) struct Deadlines {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last_key: u64,
    wakers: HashMap<u64, (Millis, Waker)>,
}

impl Deadlines {
    /// Wakes the tasks whose deadline is over.
    pub(super) fn wake_due(&self, now: Millis) {
        let due: Vec<Waker> =
            self.lock().wakers.extract_if(|_, (at, _)| *at <= now).map(|(_, (_, waker))| waker).collect();
        // The lock is released: a waker may poll at once and come back here.
        due.into_iter().for_each(Waker::wake);
    }

    /// Awaits `work`, for at most `limit` on `clock`. Returns `None` when the time is over.
    pub(super) async fn within<F: Future>(
        &self,
        clock: &dyn Clock,
        limit: Duration,
        work: F,
    ) -> Option<F::Output> {
        let mut work = pin!(work);
        let mut wait = Wait { deadlines: self, clock, at: clock.now().after(limit), key: None };
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => wait.poll(cx).map(|()| None),
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task's entry, removed when dropped.
struct Wait<'a> {
    deadlines: &'a Deadlines,
    clock: &'a dyn Clock,
    at: Millis,
    key: Option<u64>,
}

impl Wait<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.at {
            return Poll::Ready(());
        }
        let mut waiting = self.deadlines.lock();
        let key = *self.key.get_or_insert_with(|| {
            waiting.last_key += 1;
            waiting.last_key
        });
        waiting.wakers.insert(key, (self.at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.deadlines.lock().wakers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::task::Waker;

    use super::*;
    use crate::clock::ManualClock;

    fn waiting(deadlines: &Deadlines) -> usize {
        deadlines.lock().wakers.len()
    }

    #[tokio::test]
    async fn work_beyond_its_limit_is_dropped_and_leaves_no_entry() {
        let (clock, deadlines) = (ManualClock::default(), Deadlines::default());
        let limit = Duration::from_secs(30);
        assert_eq!(deadlines.within(&clock, limit, async { 1 }).await, Some(1));

        let mut slow = Box::pin(deadlines.within(&clock, limit, pending::<()>()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(slow.as_mut().poll(&mut cx).is_pending());
        clock.advance(Duration::from_millis(29_999));
        assert!(slow.as_mut().poll(&mut cx).is_pending());
        assert_eq!(waiting(&deadlines), 1, "one entry, however often it is polled");
        clock.advance(Duration::from_millis(1));
        deadlines.wake_due(clock.now());
        assert_eq!(waiting(&deadlines), 0, "the sweeper takes the entry that it wakes");
        assert_eq!(slow.await, None);

        let mut given_up = Box::pin(deadlines.within(&clock, limit, pending::<()>()));
        assert!(given_up.as_mut().poll(&mut cx).is_pending());
        drop(given_up);
        assert_eq!(waiting(&deadlines), 0);
    }
}
