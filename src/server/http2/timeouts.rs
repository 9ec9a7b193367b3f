//! Runs one HTTP/2 connection to its end and enforces its timeouts.
//!
//! The timer is reset only when the connection waits for the client: when the client does not read, or sends
//! no request. A request that is answered immediately never touches the timer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::connection::Connection;
use super::streams::Handoff;
use crate::clock::turn;
use crate::config::Limits;
use crate::server::activity::WRITE_BLOCKED;
use crate::server::connection_info::ConnInfo;
use crate::server::peer_certificate::ClientCertificate;
use crate::server::shutdown::DrainSignal;
use crate::upstream::alarm::Alarm;

/// The idle time after which a connection frees the memory that only requests need.
const REST_AFTER: Duration = Duration::from_secs(2);

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
pub(super) async fn drive<I, P, F>(
    connection: &mut Connection<I, P, F>,
    info: &ConnInfo,
    limits: &Limits,
    drain: &DrainSignal,
) -> End
where
    I: AsyncRead + AsyncWrite + Unpin,
    P: Fn(Arc<Handoff>) -> F,
    F: Future,
{
    let activity = &info.activity;
    let certificate = info.client_certificate();
    let mut alarm = Alarm::default();
    let mut woken = pin!(drain.woken());
    let (mut registered, mut told) = (false, false);
    let start = turn::now();
    // The time since which the client accepts no bytes, and the time since which it sends no request, each
    // with the counter value at that time.
    let (mut blocked, mut idle): (Seen, Seen) = (None, None);
    // Whether the connection has freed its memory since the last request.
    let mut rests = false;
    poll_fn(|cx| {
        if connection.poll(cx).is_ready() {
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
            connection.finish();
            if connection.poll(cx).is_ready() {
                return Poll::Ready(End::Finished);
            }
        }
        let since = |seen: &mut Seen, count: u32| match *seen {
            Some((known, since)) if known == count => since,
            _ => seen.insert((count, turn::now())).1,
        };
        let (deadline, end) = if activity.flags() & WRITE_BLOCKED != 0 {
            (since(&mut blocked, activity.writes()) + limits.write_timeout, End::WriteTimeout)
        } else if connection.in_flight() > 0 {
            // The requests have timeouts of their own, and end within this task.
            (blocked, idle, rests) = (None, None, false);
            return Poll::Pending;
        } else if connection.accepted() == 0 {
            (start + limits.header_timeout, End::HeaderTimeout)
        } else {
            blocked = None;
            let since = since(&mut idle, connection.accepted());
            if !rests && REST_AFTER < limits.idle_timeout {
                match alarm.poll(since + REST_AFTER, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(_) => {
                        connection.rest();
                        rests = true;
                    }
                }
            }
            (since + limits.idle_timeout, End::IdleTimeout)
        };
        alarm.poll(deadline, cx).map(|_| end)
    })
    .await
}
