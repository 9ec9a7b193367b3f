//! Time limits for what the gate waits for, in whatever runtime it is asked.
//!
//! A timer of tokio's would panic in a program that has none. The gate has a thread that looks at its clock anyway: the
//! sweeper, which wakes what is over time, to within its own pace.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Gate;
use crate::clock::Millis;

/// Who waits, and until when. One entry for each request whose body is not there yet.
#[derive(Default)]
pub(super) struct Deadlines {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    places: u64,
    wakers: HashMap<u64, (Millis, Waker)>,
}

impl Deadlines {
    /// Wakes those whose time is over.
    pub(super) fn wake_due(&self, now: Millis) {
        let due: Vec<Waker> =
            self.lock().wakers.extract_if(|_, (at, _)| *at <= now).map(|(_, (_, waker))| waker).collect();
        // Without the lock: a waker may poll at once, and come back here.
        due.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// What `work` comes to, unless it takes longer than `limit` on the gate's clock.
    pub(crate) async fn within<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let mut place = Place { gate: self, at: self.inner.clock.now().after(limit), key: None };
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => place.wait(cx).map(|()| None),
        })
        .await
    }
}

/// A place among those who wait, given up when dropped.
struct Place<'a> {
    gate: &'a Gate,
    at: Millis,
    key: Option<u64>,
}

impl Place<'_> {
    fn wait(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.gate.inner.clock.now() >= self.at {
            return Poll::Ready(());
        }
        let mut waiting = self.gate.inner.deadlines.lock();
        let key = *self.key.get_or_insert_with(|| {
            waiting.places += 1;
            waiting.places
        });
        waiting.wakers.insert(key, (self.at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.gate.inner.deadlines.lock().wakers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;
    use crate::clock::ManualClock;
    use crate::gate::GateSpec;

    fn waiting(gate: &Gate) -> usize {
        gate.inner.deadlines.lock().wakers.len()
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_by_the_gates_clock_and_leaves_nothing() {
        let clock = Arc::new(ManualClock::default());
        let builder = Gate::builder(GateSpec::default()).clock(Arc::<ManualClock>::clone(&clock));
        let gate = builder.hashing_threads(1).build().unwrap();
        let limit = Duration::from_secs(30);
        assert_eq!(gate.within(limit, async { 1 }).await, Some(1));

        let mut slow = Box::pin(gate.within(limit, pending::<()>()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(slow.as_mut().poll(&mut cx).is_pending());
        clock.advance(Duration::from_millis(29_999));
        assert!(slow.as_mut().poll(&mut cx).is_pending());
        assert_eq!(waiting(&gate), 1, "one place, however often it is polled");
        clock.advance(Duration::from_millis(1));
        // Nobody but the sweeper wakes it.
        assert_eq!(slow.await, None);
        assert_eq!(waiting(&gate), 0);

        let mut given_up = Box::pin(gate.within(limit, pending::<()>()));
        assert!(given_up.as_mut().poll(&mut cx).is_pending());
        drop(given_up);
        assert_eq!(waiting(&gate), 0);
    }
}
