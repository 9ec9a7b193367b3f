//! Runs one HTTP/2 connection to its end and enforces its timeouts.
//!
//! The timer is reset only when the connection waits for the client: when the client does not read, or sends
//! no request. A request that is answered immediately never touches the timer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::Instant;

use super::activity::WRITE_BLOCKED;
use super::connection_info::ConnInfo;
use super::peer_certificate::ClientCertificate;
use super::shutdown::DrainSignal;
use crate::clock::turn;
use crate::config::Limits;
use crate::upstream::alarm::Alarm;

/// A hyper connection that supports graceful shutdown.
pub(super) trait HttpConnection: Future<Output = hyper::Result<()>> {
    /// Starts a graceful shutdown: completes the requests in flight, and accepts no new ones.
    fn finish(self: Pin<&mut Self>);
}

/// The reason why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The connection ended normally, or an error ended it. Errors that the client caused are not reported.
    Finished,
    /// The first request did not arrive in time.
    HeaderTimeout,
    /// No request arrived for `idle_timeout`.
    IdleTimeout,
    /// The client did not read its response.
    WriteTimeout,
}

/// A counter value, and the time since which it has not changed.
type Seen = Option<(u32, Instant)>;

/// Polls `connection` until it ends or runs out of time.
pub(super) async fn drive<C: HttpConnection>(
    mut connection: Pin<&mut C>,
    info: &ConnInfo,
    limits: &Limits,
    drain: &DrainSignal,
) -> End {
    let activity = &info.activity;
    let certificate = info.client_certificate();
    let mut alarm = Alarm::default();
    let mut woken = pin!(drain.woken());
    let (mut registered, mut told) = (false, false);
    let start = turn::now();
    // The time since which the client accepts no bytes, and the time since which it sends no request, each
    // with the counter value at that time.
    let (mut blocked, mut idle): (Seen, Seen) = (None, None);
    let mut look_at = start;
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Finished);
        }
        if !registered {
            registered = true;
            let _ = woken.as_mut().poll(cx);
        }
        // A client whose certificate was refused needs a new connection to use a different one.
        let must_leave = || drain.is_draining() || certificate.is_some_and(ClientCertificate::was_refused);
        if !told && must_leave() {
            told = true;
            connection.as_mut().finish();
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Finished);
            }
        }
        loop {
            let since = |seen: &mut Seen, count: u32| match *seen {
                Some((known, since)) if known == count => since,
                _ => seen.insert((count, turn::now())).1,
            };
            let (deadline, end) = if activity.flags() & WRITE_BLOCKED != 0 {
                (since(&mut blocked, activity.writes()) + limits.write_timeout, Some(End::WriteTimeout))
            } else if activity.in_flight() > 0 {
                // A request may end without waking this task.
                (blocked, idle) = (None, None);
                (look_at + limits.idle_timeout / 20, None)
            } else if activity.requests() == 0 {
                (start + limits.header_timeout, Some(End::HeaderTimeout))
            } else {
                blocked = None;
                (since(&mut idle, activity.requests()) + limits.idle_timeout, Some(End::IdleTimeout))
            };
            match (alarm.poll(deadline, cx), end) {
                (Poll::Pending, _) => return Poll::Pending,
                (Poll::Ready(_), Some(end)) => return Poll::Ready(end),
                (Poll::Ready(now), None) => look_at = now,
            }
        }
    })
    .await
}
