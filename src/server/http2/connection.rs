//! One HTTP/2 connection: accepts streams, and runs them until they are answered.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Handshake};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;

use super::streams::{Handoff, Streams};
use super::wakers::{Wakers, parts};
use crate::config::Limits;
use crate::proxy::stream::Stream;

/// The part of the connection itself among the parts that are woken.
const CONNECTION: usize = 0;

/// The bytes of one response that may wait in the connection.
const MAX_BUFFER: usize = 64 * 1024;

/// How many streams a client may reset, even if these are most of its streams.
const FREE_RESETS: u32 = 100;

/// Returns the settings of HTTP/2 connections.
pub(in crate::server) fn settings(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(128)
        // A client may fill these windows before the gateway reads anything. They limit the memory per
        // connection, and are large enough for uploads.
        .initial_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_frame_size(16 * 1024)
        .max_send_buffer_size(MAX_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_header_size).unwrap_or(u32::MAX))
        // Limits the streams that a client resets before they are accepted ("rapid reset"), and the streams
        // that are reset because of the client's errors.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(Some(128));
    builder
}

enum State<I> {
    /// The client has not sent its preface yet.
    Handshake(Handshake<I, Bytes>),
    Open(h2::server::Connection<I, Bytes>),
}

/// One connection. `P` creates the future that answers the streams of one place.
pub(super) struct Connection<I, P, F> {
    state: State<I>,
    place: P,
    streams: Streams<F>,
    /// The places of the streams that were accepted and have not been polled.
    new: Vec<usize>,
    wakers: Arc<Wakers>,
    /// The waker of the connection itself.
    waker: Waker,
    /// The waker of the task, as `wakers` knows it.
    task: Option<Waker>,
    write_timeout: Duration,
    /// The number of streams accepted so far. It wraps.
    accepted: u32,
    /// The number of accepted streams that the client has reset.
    resets: Arc<AtomicU32>,
    /// Whether the connection was ended because of them.
    is_ended: bool,
    /// Whether no further streams are accepted.
    finishing: bool,
}

impl<I, P, F> Connection<I, P, F>
where
    I: AsyncRead + AsyncWrite + Unpin,
    P: Fn(Arc<Handoff>) -> F,
    F: Future,
{
    pub(super) fn new(io: I, settings: &Builder, write_timeout: Duration, place: P) -> Self {
        let wakers = Arc::<Wakers>::default();
        let waker = wakers.waker(CONNECTION);
        wakers.wake(CONNECTION);
        Self {
            state: State::Handshake(settings.handshake(io)),
            place,
            streams: Streams::new(),
            new: Vec::new(),
            wakers,
            waker,
            task: None,
            write_timeout,
            accepted: 0,
            resets: Arc::default(),
            is_ended: false,
            finishing: false,
        }
    }

    /// Returns the number of streams that have not been answered.
    pub(super) fn in_flight(&self) -> usize {
        self.streams.in_flight()
    }

    /// Returns the number of streams accepted so far. The counter wraps, so compare it for equality only.
    pub(super) fn accepted(&self) -> u32 {
        self.accepted
    }

    /// Frees the memory that only requests need.
    pub(super) fn rest(&mut self) {
        self.streams.rest();
        self.new = Vec::new();
    }

    /// Starts a graceful shutdown: completes the requests in flight, and accepts no new ones.
    pub(super) fn finish(&mut self) {
        self.finishing = true;
        if let State::Open(connection) = &mut self.state {
            connection.graceful_shutdown();
        }
        self.wakers.wake(CONNECTION);
    }

    /// Runs the connection and its streams. Completes when the connection has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.wakers.set_task(cx.waker());
            self.task = Some(cx.waker().clone());
        }
        self.wakers.begin();
        while let Some(woken) = self.wakers.take() {
            let mut connection = false;
            for part in parts(woken) {
                match part {
                    CONNECTION => connection = true,
                    stream => self.streams.poll(stream - 1),
                }
            }
            // Last, so that everything that the streams have to send is sent at once.
            let is_over = connection && self.poll_connection().is_ready();
            // All streams that have arrived are accepted before the first is answered. Accepting one more would
            // send that answer alone.
            for stream in self.new.drain(..) {
                self.streams.poll(stream);
            }
            if is_over {
                return Poll::Ready(());
            }
            // Without budget, nothing makes progress, but everything is woken.
            if !coop::has_budget_remaining() {
                break;
            }
        }
        self.wakers.end();
        Poll::Pending
    }

    fn poll_connection(&mut self) -> Poll<()> {
        let cx = &mut Context::from_waker(&self.waker);
        loop {
            match &mut self.state {
                State::Handshake(handshake) => match Pin::new(handshake).poll(cx) {
                    Poll::Ready(Ok(mut connection)) => {
                        if self.finishing {
                            connection.graceful_shutdown();
                        }
                        self.state = State::Open(connection);
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                },
                State::Open(connection) => {
                    // A client that resets most of its streams costs more than it gets. "Rapid reset" is one
                    // way.
                    let resets = self.resets.load(Relaxed);
                    if !self.is_ended && resets > FREE_RESETS && resets > self.accepted / 2 {
                        self.is_ended = true;
                        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    }
                    match connection.poll_accept(cx) {
                        Poll::Ready(Some(Ok((request, mut respond)))) => {
                            if self.streams.is_full() {
                                respond.send_reset(Reason::REFUSED_STREAM);
                                continue;
                            }
                            self.accepted = self.accepted.wrapping_add(1);
                            let resets = Arc::clone(&self.resets);
                            let stream = Stream::new(request, respond, self.write_timeout, resets);
                            self.new.push(self.streams.start(stream, &self.wakers, &self.place));
                        }
                        // An error has been answered with a GOAWAY, or the socket is broken.
                        Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io;
    use std::sync::atomic::AtomicUsize;

    use http::{Request, Response};
    use http_body_util::Full;
    use tokio::io::{DuplexStream, ReadBuf};

    use super::*;

    /// Counts the writes.
    struct Counted {
        io: DuplexStream,
        writes: Arc<AtomicUsize>,
    }

    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes.fetch_add(1, Relaxed);
            Pin::new(&mut self.io).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_shutdown(cx)
        }
    }

    /// Returns the number of writes in which that many requests, which arrive together, are answered.
    async fn writes_for(requests: usize) -> usize {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (sender, mut client) = h2::client::handshake(theirs).await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..requests {
            let request = Request::get("http://localhost/").body(()).unwrap();
            answers.push(sender.clone().ready().await.unwrap().send_request(request, true).unwrap().0);
        }
        let place = |handoff: Arc<Handoff>| async move {
            loop {
                let stream = handoff.next().await;
                stream.reply.send(Response::new(Full::from("hello")), |_| ()).await;
            }
        };
        let writes = Arc::<AtomicUsize>::default();
        let io = Counted { io: ours, writes: Arc::clone(&writes) };
        let mut server = Connection::new(io, &settings(&Limits::default()), Duration::from_secs(1), place);
        // The client sends all that it has, and then the server does all that it can.
        poll_fn(|cx| {
            assert!(Pin::new(&mut client).poll(cx).is_pending());
            Poll::Ready(server.poll(cx).is_pending())
        })
        .await;
        let count = writes.load(Relaxed);
        poll_fn(|cx| {
            assert!(Pin::new(&mut client).poll(cx).is_pending());
            answers.retain_mut(|answer| Pin::new(answer).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(answers.is_empty(), "all are answered");
        count
    }

    #[tokio::test]
    async fn requests_that_arrive_together_are_answered_in_one_write() {
        assert_eq!(writes_for(4).await, writes_for(1).await);
    }
}
