//! An HTTP/1 connection from its first byte to its last: one request after the other, each in its time.
//!
//! A request that comes whole and is answered at once reads the clock twice and moves no timer. Between two requests the
//! connection owns no buffer, and after a while nothing but what it takes to wait.

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

/// How long a client whose connection is closed may still send before the socket is closed under it. Closing with unread
/// bytes resets the connection, and the client would lose the response that explains it.
const LINGER: Duration = Duration::from_millis(500);
/// How much it may send in that time.
const LINGER_BYTES: usize = 256 * 1024;
/// How long an idle connection has to say goodbye (TLS close_notify).
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a connection may be idle before it rests, which frees what it takes to serve requests.
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
    // The first head's time runs from the start of the connection, so its first byte buys nothing.
    let mut since = Since::Accepted(turn::now());
    let mut woken = pin!(Woken::new(drain));
    loop {
        // Boxed, and gone while the connection rests.
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

/// What the wait for a request is measured from.
#[derive(Debug, Clone, Copy)]
enum Since {
    Accepted(Instant),
    Answered(Instant),
}

/// Why a connection serves no request.
enum Busy {
    /// None comes for a while.
    Rests(Instant),
    /// None will come.
    Over(End),
}

/// How a connection ends.
enum End {
    /// The client closed it, or it broke: nothing more is to be said.
    Gone,
    /// The last response said that it is the last.
    Answered,
    /// No request came in time, or the process ends.
    Idle,
    /// A head did not arrive in time.
    HeaderTimeout,
    /// What came is no request.
    Fault(RequestFault),
}

struct Connection<'a, H> {
    handler: &'a H,
    info: &'a ConnInfo,
    limits: &'a Limits,
    drain: &'a DrainSignal,
}

impl<H: Handler> Connection<'_, H> {
    /// Serves requests until none comes for a while.
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
            if !client.goes_on() {
                return Busy::Over(End::Answered);
            }
            since = Since::Answered(turn::now());
        }
    }

    /// Waits for the head of the next request; false where none comes for a while.
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
    /// Wakes the connection's task when idle connections are closed, because the process ends.
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

    /// Returns whether idle connections are closed. The task is always the same, so it is registered once.
    fn closes_idle(self: Pin<&mut Self>, drain: &DrainSignal, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        if !*this.registered {
            *this.registered = true;
            let _ = this.notified.poll(cx);
        }
        drain.closes_idle()
    }
}

/// Says what is to be said, and lets the client read what was said last.
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
            client.respond(&refusal, None, true);
            if client.flush().await.is_err() {
                return;
            }
        }
        let _ = client.io().shutdown().await;
        let mut left = LINGER_BYTES;
        while !client.is_finished() {
            match poll_fn(|cx| client.poll_read(cx)).await {
                Ok(read) if read > 0 && read <= left => left -= read,
                _ => return,
            }
            client.discard_input();
        }
    })
    .await;
}
