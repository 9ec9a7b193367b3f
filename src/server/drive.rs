//! Runs one HTTP connection to its end, within its timeouts.
//!
//! One timer per connection, armed for what the connection waits for and moved only when that changes to something slow
//! by nature: half a head, a client that does not read. A request that arrives whole and is answered at once never
//! touches the timer and reads no clock. hyper's own `header_read_timeout` is off: it makes a boxed timer per request and
//! counts the wait between two requests as part of the next head.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::{Activity, HEAD_STARTED, WRITE_BLOCKED};
use super::connection_info::ConnInfo;
use super::options::Limits;
use super::shutdown::DrainSignal;

/// How long a connection may be idle before it rests. Waking up costs little, but a busy one should never have to.
const REST_AFTER: Duration = Duration::from_secs(2);

/// A hyper connection.
pub(super) trait HttpConnection: Future<Output = hyper::Result<()>> {
    /// Whether it can be taken apart between two requests, and put together again.
    const RESTS: bool;

    /// Finish what is in flight, take nothing new.
    fn finish(self: Pin<&mut Self>);
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// HTTP said so, or it broke; the client's faults are not ours to report.
    Finished,
    /// A head did not arrive in time.
    HeaderTimeout,
    /// No request came for a while: the connection may rest on less memory than it takes to serve it.
    Resting {
        /// Since when, about.
        since: Instant,
    },
    /// No request came for `idle_timeout`.
    IdleTimeout,
    /// The client did not read its answer.
    WriteTimeout,
}

/// Polls `connection` until it ends or runs out of time.
pub(super) async fn drive<C: HttpConnection>(
    mut connection: Pin<&mut C>,
    info: &ConnInfo,
    limits: &Limits,
    drain: &DrainSignal,
) -> End {
    let mut timer = pin!(Timer::new(info, limits, C::RESTS));
    let mut woken = pin!(drain.woken());
    let mut told = false;
    let mut waker: Option<Waker> = None;
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Finished);
        }
        // The timer and the drain signal remember the waker; asking them again at every poll would cost two locks.
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            waker = Some(cx.waker().clone());
            let _ = woken.as_mut().poll(cx);
            timer.as_mut().register(cx);
        }
        if !told && drain.is_draining() {
            told = true;
            connection.as_mut().finish();
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Finished);
            }
        }
        timer.as_mut().poll_end(cx)
    })
    .await
}

pin_project_lite::pin_project! {
    struct Timer<'a> {
        activity: &'a Activity,
        limits: &'a Limits,
        watched_flags: u32,
        rests: bool,
        // Until when the first head must have come.
        first_head_by: Instant,
        #[pin]
        sleep: Sleep,
        registered: bool,
        seen: Seen,
    }
}

/// What the connection looked like when the timer was armed.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    flags: u32,
    requests: u32,
    writes: u32,
    idle_since: Option<Instant>,
}

impl<'a> Timer<'a> {
    fn new(info: &'a ConnInfo, limits: &'a Limits, rests: bool) -> Self {
        // On HTTP/2 bytes outside a request are frames of many kinds, not the beginning of a head.
        let watched_flags = if info.is_http2() { WRITE_BLOCKED } else { WRITE_BLOCKED | HEAD_STARTED };
        let now = Instant::now();
        let first_head_by = now + limits.header_timeout;
        Self {
            activity: &info.activity,
            limits,
            watched_flags,
            rests,
            first_head_by,
            // Looked at early, or a connection with one request would rest late.
            sleep: sleep_until(first_head_by.min(now + REST_AFTER)),
            registered: false,
            seen: Seen::default(),
        }
    }

    /// Registers the task with the sleep. Without budget left the sleep would not register but ask to be polled again.
    fn register(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let this = self.project();
        *this.registered = coop::has_budget_remaining();
        let _ = this.sleep.poll(cx);
    }

    fn arm(mut self: Pin<&mut Self>, cx: &mut Context<'_>, deadline: Instant) {
        self.as_mut().project().sleep.reset(deadline);
        self.register(cx);
    }

    fn poll_end(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        if !self.registered {
            self.as_mut().register(cx);
        }
        let flags = self.activity.flags() & self.watched_flags;
        if flags != self.seen.flags {
            self.as_mut().flags_changed(cx, flags);
        }
        // Re-arming with a deadline already past leaves the sleep elapsed at once, hence the loop; it ends because every
        // round moves the deadline by a whole timeout from now.
        while self.sleep.is_elapsed() {
            match self.as_mut().elapsed() {
                Ok(deadline) => self.as_mut().arm(cx, deadline),
                Err(end) => return Poll::Ready(end),
            }
        }
        Poll::Pending
    }

    fn flags_changed(mut self: Pin<&mut Self>, cx: &mut Context<'_>, flags: u32) {
        let seen = Seen { flags, ..self.observe() };
        *self.as_mut().project().seen = seen;
        // The first head's time runs from the start of the connection, so its first byte buys nothing.
        let first_head = flags == HEAD_STARTED && seen.requests == 0;
        if !first_head {
            let deadline = Instant::now() + self.allowance(flags);
            self.arm(cx, deadline);
        }
    }

    fn observe(&self) -> Seen {
        Seen {
            flags: self.activity.flags() & self.watched_flags,
            requests: self.activity.requests(),
            writes: self.activity.writes(),
            idle_since: None,
        }
    }

    /// How long a connection in this state is left alone before it is looked at again.
    fn allowance(&self, flags: u32) -> Duration {
        if flags & WRITE_BLOCKED != 0 {
            self.limits.write_timeout
        } else if flags & HEAD_STARTED != 0 {
            self.limits.header_timeout
        } else {
            (self.limits.idle_timeout / 4).min(REST_AFTER)
        }
    }

    /// The allowance is over: the next deadline, or the end.
    fn elapsed(mut self: Pin<&mut Self>) -> Result<Instant, End> {
        let now = Instant::now();
        let before = self.seen;
        let mut seen = self.observe();
        let next = if seen.flags & WRITE_BLOCKED != 0 {
            if seen.writes == before.writes {
                return Err(End::WriteTimeout);
            }
            now + self.limits.write_timeout
        } else if seen.requests == 0 && now < self.first_head_by {
            self.first_head_by
        } else if seen.flags & HEAD_STARTED != 0 {
            return Err(End::HeaderTimeout);
        } else if self.activity.in_flight() > 0 {
            now + self.allowance(0)
        } else if seen.requests == 0 {
            return Err(End::HeaderTimeout);
        } else {
            let since = match before.idle_since {
                Some(since) if before.requests == seen.requests => since,
                _ => now,
            };
            seen.idle_since = Some(since);
            let deadline = since + self.limits.idle_timeout;
            if now >= deadline {
                return Err(End::IdleTimeout);
            }
            if self.rests && before.idle_since == Some(since) {
                return Err(End::Resting { since });
            }
            deadline.min(now + self.allowance(0))
        };
        *self.as_mut().project().seen = seen;
        Ok(next)
    }
}
