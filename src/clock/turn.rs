//! The time within one turn of a task: read at most once, however often it is asked for.
//!
//! A task that serves a connection is polled, does all that can be done at once, and sleeps again. In between
//! no time passes that would matter to a timeout, so the first reading serves for the whole turn.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::Instant;

thread_local! {
    static TURN: Cell<State> = const { Cell::new(State::Outside) };
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
    use std::time::Duration;

    use super::*;

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
