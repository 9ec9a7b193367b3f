//! Serves an HTTP/1 connection: one request after the other, each within its timeouts.
//!
//! A request that arrives at once and is answered immediately reads the clock twice and resets no timer.
//! Between two requests the connection owns no buffer. After some idle time it keeps only the state that is
//! needed to wait.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use super::connection_info::ConnInfo;
use super::handler::Handler;
use super::shutdown::DrainSignal;
use crate::clock::turn;
use crate::config::Limits;
use crate::http1::{HeadLimits, RequestFault};
use crate::proxy::client::{Client, ClientTimeouts, HeadEnd, Socket};
use crate::response;
use crate::telemetry::{Event, count};

/// How long the gateway still reads from a client after the last response, before it closes the socket (a
/// lingering close, as in nginx). Closing a socket with unread bytes resets the connection, and the client
/// might lose the response.
const LINGER: Duration = Duration::from_millis(500);
/// The maximum number of bytes read in that time.
const LINGER_BYTES: usize = 256 * 1024;
/// How long an idle connection may take to send its last message (TLS close_notify).
const GOODBYE: Duration = Duration::from_secs(1);
/// The idle time after which a connection frees the state that it needs only for serving requests.
const REST_AFTER: Duration = Duration::from_secs(2);

/// Serves an HTTP/1 connection to its end.
pub(super) async fn serve<H: Handler, I: Socket>(
    handler: &H,
    io: I,
    info: &ConnInfo,
    limits: &Limits,
    drain: &DrainSignal,
) {
    let timeouts = ClientTimeouts { write: limits.write_timeout, half_closed: limits.half_closed_timeout };
    let mut client = Client::new(io, timeouts, drain.flag());
    let connection = Connection { handler, info, limits, drain };
    // The timeout of the first head starts with the connection, so that sending one byte does not extend it.
    let mut since = Since::Accepted(turn::now());
    let mut woken = pin!(Woken::new(drain));
    loop {
        // The future is boxed, and freed while the connection is idle.
        let busy = Box::pin(connection.busy(&mut client, since, woken.as_mut()));
        since = match busy.await {
            Busy::Rests(idle) => Since::Answered(idle),
            Busy::Over(end) => return Box::pin(close(client, end, drain)).await,
        };
        if let Err(end) = connection.rest(&mut client, since, woken.as_mut()).await {
            return Box::pin(close(client, end, drain)).await;
        }
    }
}

/// The event from which the wait for a request is measured.
#[derive(Debug, Clone, Copy)]
enum Since {
    Accepted(Instant),
    Answered(Instant),
}

/// The reason why a connection stops serving requests.
enum Busy {
    /// No request arrived for some time. More may follow.
    Rests(Instant),
    /// No more requests will be served.
    Over(End),
}

/// The reason why a connection ends.
enum End {
    /// The client closed the connection, or it failed. Nothing more can be sent.
    Gone,
    /// The last response announced the close of the connection.
    Answered,
    /// No request arrived in time, or the process is shutting down.
    Idle,
    /// A request head did not arrive in time.
    HeaderTimeout,
    /// The client sent something that is not a valid request.
    Fault(RequestFault),
}

struct Connection<'a, H> {
    handler: &'a H,
    info: &'a ConnInfo,
    limits: &'a Limits,
    drain: &'a DrainSignal,
}

impl<H: Handler> Connection<'_, H> {
    /// Serves requests until the connection has been idle for some time.
    async fn busy<I: Socket>(
        &self,
        client: &mut Client<I>,
        mut since: Since,
        mut woken: Pin<&mut Woken>,
    ) -> Busy {
        let mut session = H::Session::default();
        loop {
            match self.head(client, since, woken.as_mut()).await {
                Ok(true) => {}
                Ok(false) => return Busy::Rests(since.instant()),
                Err(end) => return Busy::Over(end),
            }
            self.handler.serve(client, self.info, &mut session).await;
            if !client.is_reusable() {
                return Busy::Over(End::Answered);
            }
            since = Since::Answered(turn::now());
        }
    }

    /// Waits for the head of the next request. Returns false if none arrives for some time.
    async fn head<I: Socket>(
        &self,
        client: &mut Client<I>,
        since: Since,
        mut woken: Pin<&mut Woken>,
    ) -> Result<bool, End> {
        let head_limits =
            HeadLimits { max_size: self.limits.max_header_size, max_fields: self.limits.max_headers };
        let mut head_by = None;
        poll_fn(|cx| {
            match client.poll_head(head_limits, cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(true)),
                Poll::Ready(Err(HeadEnd::Closed)) => return Poll::Ready(Err(End::Gone)),
                Poll::Ready(Err(HeadEnd::Fault(fault))) => return Poll::Ready(Err(End::Fault(fault))),
                Poll::Pending => {}
            }
            let started = client.has_input();
            if !started && woken.as_mut().closes_idle(self.drain, cx) {
                return Poll::Ready(Err(End::Idle));
            }
            let (deadline, end) = match since {
                Since::Accepted(at) if !started => (at + self.limits.header_timeout, End::Idle),
                Since::Accepted(at) => (at + self.limits.header_timeout, End::HeaderTimeout),
                Since::Answered(_) if started => {
                    let by = head_by.get_or_insert_with(|| turn::now() + self.limits.header_timeout);
                    (*by, End::HeaderTimeout)
                }
                Since::Answered(at) => (at + self.limits.idle_timeout, End::Idle),
            };
            let rests_at = since.instant() + REST_AFTER;
            let rests = !started && matches!(since, Since::Answered(_)) && rests_at < deadline;
            let next = if rests { rests_at } else { deadline };
            match client.alarm().poll(next, cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(_) if rests => Poll::Ready(Ok(false)),
                Poll::Ready(_) => Poll::Ready(Err(end)),
            }
        })
        .await
    }

    /// Waits for the first byte of the next request.
    async fn rest<I: Socket>(
        &self,
        client: &mut Client<I>,
        since: Since,
        mut woken: Pin<&mut Woken>,
    ) -> Result<(), End> {
        let deadline = since.instant() + self.limits.idle_timeout;
        poll_fn(|cx| match client.poll_read(cx) {
            Poll::Ready(Ok(1..)) => Poll::Ready(Ok(())),
            Poll::Ready(_) => Poll::Ready(Err(End::Gone)),
            Poll::Pending if woken.as_mut().closes_idle(self.drain, cx) => Poll::Ready(Err(End::Idle)),
            Poll::Pending => {
                client.settle();
                client.alarm().poll(deadline, cx).map(|_| Err(End::Idle))
            }
        })
        .await
    }
}

impl Since {
    fn instant(self) -> Instant {
        match self {
            Self::Accepted(at) | Self::Answered(at) => at,
        }
    }
}

pin_project_lite::pin_project! {
    /// Wakes the connection's task when the process is shutting down and idle connections are closed.
    struct Woken {
        #[pin]
        notified: tokio::sync::futures::OwnedNotified,
        registered: bool,
    }
}

impl Woken {
    fn new(drain: &DrainSignal) -> Self {
        Self { notified: drain.woken_if_idle(), registered: false }
    }

    /// Returns whether idle connections are to be closed. The task never changes, so it is registered only
    /// once.
    fn closes_idle(self: Pin<&mut Self>, drain: &DrainSignal, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        if !*this.registered {
            *this.registered = true;
            let _ = this.notified.poll(cx);
        }
        drain.closes_idle()
    }
}

/// Sends the final response, if any, and gives the client time to read it.
async fn close<I: Socket>(mut client: Client<I>, end: End, drain: &DrainSignal) {
    let refusal = match end {
        End::Gone => return,
        End::Idle => {
            let _ = timeout(GOODBYE, client.io().shutdown()).await;
            return;
        }
        End::Answered if drain.is_draining() && !client.has_input() => {
            let _ = timeout(GOODBYE, client.io().shutdown()).await;
            return;
        }
        End::Answered => None,
        End::HeaderTimeout => {
            Some(response::problem(StatusCode::REQUEST_TIMEOUT, "the request headers did not arrive in time"))
        }
        End::Fault(fault) => Some(response::problem(fault.status(), fault.public_text())),
    };
    let _ = timeout(LINGER, async {
        if let Some(refusal) = refusal {
            count(Event::HeadRefused);
            client.respond(refusal, None, true);
            if client.flush().await.is_err() {
                return;
            }
        }
        let _ = client.io().shutdown().await;
        let mut left = LINGER_BYTES;
        while !client.is_half_closed() {
            match poll_fn(|cx| client.poll_read(cx)).await {
                Ok(read) if read > 0 && read <= left => left -= read,
                _ => return,
            }
            client.discard_input();
        }
    })
    .await;
}
