//! Runs each request of an HTTP/2 connection in its own task, and resets streams whose client does not read.
//!
//! If the whole socket accepts no more bytes, [`drive`](super::drive) ends the connection. In HTTP/2 a client
//! can also leave the window of a single stream closed while it reads all others. The response of that
//! stream, and the upstream resources that it holds, would then wait forever. In that case hyper does not
//! poll the response body any more, which is how this module detects it.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

/// The result of the last poll of a response body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The body was not polled.
    Not,
    /// The body returned data, which hyper now holds.
    Gave,
    /// The body returned no data.
    Waits,
}

thread_local! {
    /// The last poll in the task that is currently running.
    static ASKED: Cell<Asked> = const { Cell::new(Asked::Not) };
}

/// Records the result of polling a body.
pub(super) fn body_polled<T>(polled: &Poll<T>) {
    ASKED.set(if polled.is_ready() { Asked::Gave } else { Asked::Waits });
}

/// Spawns the tasks of HTTP/2 connections.
#[derive(Clone, Debug)]
pub(super) struct StreamExecutor {
    write_timeout: Duration,
}

impl StreamExecutor {
    /// Creates an executor that resets a stream if its client accepts no data for `write_timeout`.
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
        // The number of times the body returned data.
        gave: u64,
        // Whether hyper holds data that the client does not accept.
        stuck: bool,
        watch: Option<Box<Watch>>,
    }
}

/// Measures how long a stream has been blocked. The clock is read at ticks only, so that sending a frame
/// costs nothing.
struct Watch {
    timer: Pin<Box<Sleep>>,
    /// The number of times the body had returned data at the last tick.
    seen: u64,
    /// The first tick that saw this number.
    since: Instant,
}

/// The number of ticks per `write_timeout`. The timeout is exceeded by at most one tick.
const TICKS: u32 = 16;

impl Watch {
    fn new(gave: u64, tick: Duration) -> Self {
        Self { timer: Box::pin(sleep(tick)), seen: gave, since: Instant::now() }
    }

    /// Completes when the number has not changed for `write_timeout`.
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
        // The stream is reset when this future is dropped.
        watch.poll(*this.gave, *this.write_timeout, cx)
    }
}
