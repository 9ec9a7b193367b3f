//! The requests of HTTP/2 connections, each in a task of its own, and an end to those whose client does not read.
//!
//! A connection whose socket takes nothing more is [`drive`](super::drive)'s to end. In HTTP/2 a client can also leave the
//! window of one stream shut while it reads all else, and would have that stream's answer, and what it holds upstream,
//! wait for ever. hyper does not ask a body for more then: that is how it is noticed here.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

/// What an answer's body did when it was asked last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It was not.
    Not,
    /// It had something, which hyper has now.
    Gave,
    /// It had nothing.
    Waits,
}

thread_local! {
    /// Of the task that is being polled.
    static ASKED: Cell<Asked> = const { Cell::new(Asked::Not) };
}

/// Notes what a body answers.
pub(super) fn body_polled<T>(polled: &Poll<T>) {
    ASKED.set(if polled.is_ready() { Asked::Gave } else { Asked::Waits });
}

/// Spawns the tasks of HTTP/2 connections.
#[derive(Clone, Debug)]
pub(super) struct StreamExecutor {
    write_timeout: Duration,
}

impl StreamExecutor {
    /// An executor that resets a stream whose client takes nothing for `write_timeout`.
    pub(super) fn new(write_timeout: Duration) -> Self {
        Self { write_timeout }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, future: F) {
        let write_timeout = self.write_timeout;
        tokio::spawn(Watched { future, write_timeout, gave: 0, stuck: false, watch: None });
    }
}

pin_project! {
    struct Watched<F> {
        #[pin]
        future: F,
        write_timeout: Duration,
        // How often the body gave something.
        gave: u64,
        // Whether hyper has something that the client does not take.
        stuck: bool,
        watch: Option<Box<Watch>>,
    }
}

/// The time that a stream has been stuck. The clock is read at ticks only, so that a frame that goes out costs nothing.
struct Watch {
    timer: Pin<Box<Sleep>>,
    /// How often the body had given something at the last tick.
    seen: u64,
    /// The first tick that saw that count.
    since: Instant,
}

/// The ticks in `write_timeout`: it is exceeded by at most one of them.
const TICKS: u32 = 16;

impl Watch {
    fn new(gave: u64, tick: Duration) -> Self {
        Self { timer: Box::pin(sleep(tick)), seen: gave, since: Instant::now() }
    }

    /// Ready when the count has been the same for `write_timeout`.
    fn poll(&mut self, gave: u64, write_timeout: Duration, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if self.seen != gave {
                (self.seen, self.since) = (gave, now);
            } else if now >= self.since + write_timeout {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(now + write_timeout / TICKS);
        }
    }
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        ASKED.set(Asked::Not);
        if this.future.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match ASKED.get() {
            Asked::Not => {}
            Asked::Gave => {
                *this.gave += 1;
                *this.stuck = true;
            }
            Asked::Waits => *this.stuck = false,
        }
        if !*this.stuck {
            return Poll::Pending;
        }
        let tick = *this.write_timeout / TICKS;
        let watch = this.watch.get_or_insert_with(|| Box::new(Watch::new(*this.gave, tick)));
        // Once this future is dropped, the stream is reset.
        watch.poll(*this.gave, *this.write_timeout, cx)
    }
}
