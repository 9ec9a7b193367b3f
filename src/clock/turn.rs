//! The time within one turn of a task: read at most once, however often it is asked for.
//!
//! A task that serves a connection is polled, does all that can be done at once, and sleeps again. In between
//! no time passes that would matter to a timeout, so the first reading serves for the whole turn.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pin_project_lite::pin_project;
use tokio::time::Instant;

/// For how long the time of day is computed from one reading of the clock. A clock that was set is followed
/// after this time.
const READING_SERVES: Duration = Duration::from_millis(50);

thread_local! {
    static TURN: Cell<State> = const { Cell::new(State::Outside) };
    /// The last reading of the time of day since 1970, and the monotonic time it was read at.
    static DAY: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
enum State {
    /// No task of ours is being polled.
    Outside,
    /// One is, and the clock was not read yet.
    Unread,
    Read(Instant),
}

/// The present time: the one that was read first in this turn.
#[inline]
pub(crate) fn now() -> Instant {
    match TURN.get() {
        State::Read(now) => now,
        State::Outside => Instant::now(),
        State::Unread => {
            let now = Instant::now();
            TURN.set(State::Read(now));
            now
        }
    }
}

/// Returns the time of day at `now`, as the time since 1970. The system's clock is read only sometimes, because
/// one reading costs more than the addition.
pub(crate) fn since_1970(now: Instant) -> Duration {
    if let Some((read, time)) = DAY.get()
        && let Some(passed) = now.checked_duration_since(read)
        && passed < READING_SERVES
    {
        return time + passed;
    }
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    DAY.set(Some((now, time)));
    time
}

/// Makes the next [`now`] of this turn read the clock again, after something that took long.
pub(crate) fn refresh() {
    if matches!(TURN.get(), State::Read(_)) {
        TURN.set(State::Unread);
    }
}

pin_project! {
    /// A future of which every poll is a turn.
    pub(crate) struct Turns<F> {
        #[pin]
        future: F,
    }
}

impl<F> Turns<F> {
    /// Counts the polls of `future` as turns.
    pub(crate) fn of(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Turns<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        /// Ends the turn, also where a poll panics.
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                TURN.set(State::Outside);
            }
        }
        TURN.set(State::Unread);
        let _end = End;
        self.project().future.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_of_day_follows_the_clock() {
        let system = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (before, start) = (system(), Instant::now());
        let first = since_1970(start);
        assert!(before <= first && first <= system());
        assert_eq!(since_1970(start + Duration::from_millis(49)), first + Duration::from_millis(49));
        // The paused clock has run ahead of the system's clock, which is read again.
        let later = since_1970(start + Duration::from_secs(5));
        assert!(first <= later && later <= system());
    }

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_within_a_turn_only() {
        let start = Instant::now();
        Turns::of(async {
            let first = now();
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(now(), first + Duration::from_secs(1), "another turn");
        })
        .await;
        assert_eq!(now(), start + Duration::from_secs(1), "outside of any");
    }
}
