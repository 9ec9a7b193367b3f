//! The requests of HTTP/2 connections, each in a task of its own, and an end to those whose client does not read.
//!
//! A connection whose socket takes nothing more is [`drive`](super::drive)'s to end. In HTTP/2 a client can also leave the
//! window of one stream shut while it reads all else, and would have that stream's answer, and what it holds upstream,
//! wait for ever. hyper does not ask a body for more then: that is how it is noticed here.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
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
    /// An executor that gives up a stream whose client takes nothing for `write_timeout`, twice at most.
    pub(super) fn new(write_timeout: Duration) -> Self {
        Self { write_timeout }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, future: F) {
        let write_timeout = self.write_timeout;
        tokio::spawn(Watched { future, write_timeout, gave: 0, seen: 0, stuck: false, timer: None });
    }
}

pin_project! {
    struct Watched<F> {
        #[pin]
        future: F,
        write_timeout: Duration,
        // How often the body gave something, and how often when the timer was set.
        gave: u64,
        seen: u64,
        // Whether hyper has something that the client does not take.
        stuck: bool,
        timer: Option<Pin<Box<Sleep>>>,
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
        let timer = this.timer.get_or_insert_with(|| {
            *this.seen = *this.gave;
            Box::pin(sleep(*this.write_timeout))
        });
        while timer.as_mut().poll(cx).is_ready() {
            if this.seen == this.gave {
                // Dropped, the stream is reset.
                return Poll::Ready(());
            }
            *this.seen = *this.gave;
            timer.as_mut().reset(Instant::now() + *this.write_timeout);
        }
        Poll::Pending
    }
}
