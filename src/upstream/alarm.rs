//! A timer that a task shares among all of its deadlines.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::turn;

/// Wakes its task at the earliest of the deadlines that it is polled with.
///
/// A deadline later than the registered one does not reset the timer: the alarm wakes the task early, and
/// then registers the deadline that the task polls. A wait that ends in time, as nearly all do, therefore
/// costs one comparison, and the timer of the runtime is reset about once per timeout instead of once per
/// request.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The deadline for which the sleep is registered, or `None` if the task would not be woken.
    armed: Option<Instant>,
    waker: Option<Waker>,
}

impl Alarm {
    /// Returns the present time once `deadline` has passed. Until then, the task is woken when it has.
    #[inline]
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<Instant> {
        if let (Some(armed), Some(sleep), Some(waker)) = (self.armed, &self.sleep, &self.waker)
            && armed <= deadline
            && !sleep.is_elapsed()
            && waker.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        self.poll_late(deadline, cx)
    }

    #[cold]
    fn poll_late(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<Instant> {
        let now = turn::now();
        if now >= deadline {
            return Poll::Ready(now);
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        sleep.as_mut().reset(deadline);
        // Without remaining budget, the sleep does not register. It wakes the task immediately instead.
        let registers = coop::has_budget_remaining();
        if sleep.as_mut().poll(cx).is_ready() {
            self.armed = None;
            turn::refresh();
            return Poll::Ready(turn::now());
        }
        self.armed = registers.then_some(deadline);
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_deadline_and_at_an_earlier_one() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
        poll_fn(|cx| alarm.poll(start + 10 * MS, cx)).await;
        assert_eq!(start.elapsed(), 10 * MS);
        let later = start + 1_000 * MS;
        let mut polls = 0;
        // A later deadline is polled first, and then an earlier one.
        poll_fn(|cx| {
            polls += 1;
            let _ = alarm.poll(later, cx);
            alarm.poll(start + 50 * MS, cx)
        })
        .await;
        assert_eq!((start.elapsed(), polls), (50 * MS, 2));
        poll_fn(|cx| alarm.poll(later, cx)).await;
        assert_eq!(start.elapsed(), 1_000 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_deadline_does_not_reset_the_timer() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
        poll_fn(|cx| Poll::Ready(alarm.poll(start + 10 * MS, cx).is_pending())).await;
        poll_fn(|cx| Poll::Ready(alarm.poll(start + 20 * MS, cx).is_pending())).await;
        assert_eq!(alarm.armed, Some(start + 10 * MS));
        poll_fn(|cx| alarm.poll(start + 20 * MS, cx)).await;
        assert_eq!(start.elapsed(), 20 * MS);
    }
}
