//! The client's side of an HTTP/1 connection: what is read from it and what goes to it, one request after the other.

mod date;
#[cfg(feature = "_fuzzing")]
pub(crate) mod fuzzing;
mod relay;
mod respond;
mod upload;

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, Version};
use http_body::SizeHint;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

pub(crate) use relay::{Patience, Relayed, relay};
pub(crate) use respond::Changes;
pub(crate) use upload::Upload;

use crate::clock::turn;
use crate::http1::{
    BodyDecoder, HeadLimits, Input, RequestFacts, RequestFault, RequestFraming, RequestHead, RequestSpans,
    buffers,
};
use crate::upstream::alarm::Alarm;
use crate::upstream::http1::logins::Logins;

/// A client's socket, or the TLS session on it.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// Ready if a read may find something. Until then, the task is woken when it may.
    ///
    /// It costs less than a read that finds nothing, and needs no buffer.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Socket for TcpStream {
    #[inline]
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A read reports the error.
        self.poll_read_ready(cx).map(|_| ())
    }
}

impl Socket for Box<TlsStream<TcpStream>> {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The session itself may have something.
        Poll::Ready(())
    }
}

/// How long a client may do nothing while it is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientTimeouts {
    /// How long it may leave a response unread.
    pub(crate) write: Duration,
    /// How long it is served without being sent anything, once it has closed its sending side.
    pub(crate) half_closed: Duration,
}

thread_local! {
    /// Spans that no connection needs at the moment.
    static SPANS: Cell<Option<Box<RequestSpans>>> = const { Cell::new(None) };
}

/// Why there is no further request.
#[derive(Debug)]
pub(crate) enum HeadEnd {
    /// The client closed the connection, or it broke.
    Closed,
    /// What came is no request that could be answered from upstream.
    Fault(RequestFault),
}

/// The client's side of a connection. It owns no buffer while it is idle.
pub(crate) struct Client<I> {
    io: I,
    input: Input,
    /// What the client has not taken yet, from `written` on.
    out: Vec<u8>,
    written: usize,
    alarm: Alarm,
    timeouts: ClientTimeouts,
    /// Until when the client must have taken some more.
    blocked_until: Option<Instant>,
    /// Whether the process is ending: no further request is taken.
    draining: Arc<AtomicBool>,
    end_of_input: bool,
    /// The next request has usually not come yet: the socket is asked before a buffer is lent.
    asks_socket: bool,
    /// Since when the client has closed its sending side and has been sent nothing.
    silent_since: Option<Instant>,
    /// What the socket took has not left it.
    flushing: bool,
    spans: Option<Box<RequestSpans>>,
    /// How much of the input was looked at in vain for the end of a head.
    scanned: usize,
    version: Version,
    to_head: bool,
    idempotent: bool,
    persistent: bool,
    expects_continue: bool,
    body: BodyDecoder,
    body_ended: bool,
    body_bytes: u64,
    logins: Logins,
}

impl<I> Client<I> {
    /// The client on a connection just made.
    pub(crate) fn new(io: I, timeouts: ClientTimeouts, draining: Arc<AtomicBool>) -> Self {
        Self {
            io,
            input: Input::default(),
            out: Vec::new(),
            written: 0,
            alarm: Alarm::default(),
            timeouts,
            blocked_until: None,
            draining,
            end_of_input: false,
            asks_socket: false,
            silent_since: None,
            flushing: false,
            spans: None,
            scanned: 0,
            version: Version::HTTP_11,
            to_head: false,
            idempotent: false,
            persistent: true,
            expects_continue: false,
            body: BodyDecoder::Length(0),
            body_ended: true,
            body_bytes: 0,
            logins: Logins::default(),
        }
    }

    /// The upstream connections that carry this client's logins. They end with the client's connection.
    pub(crate) fn logins(&mut self) -> &mut Logins {
        &mut self.logins
    }

    /// The timer of the task that serves the client.
    pub(crate) fn alarm(&mut self) -> &mut Alarm {
        &mut self.alarm
    }

    /// Whether something of a request has come.
    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Whether the client has closed its sending side.
    pub(crate) fn is_finished(&self) -> bool {
        self.end_of_input
    }

    /// The socket.
    pub(crate) fn io(&mut self) -> &mut I {
        &mut self.io
    }

    /// What has come and is not part of the present request.
    pub(crate) fn take_input(&mut self) -> Vec<u8> {
        self.input.take()
    }

    /// Gives the buffer for reading back before the task sleeps.
    pub(crate) fn settle(&mut self) {
        self.input.settle();
    }

    /// Drops what has come.
    pub(crate) fn discard_input(&mut self) {
        let count = self.input.bytes().len();
        self.input.consume(count);
    }

    /// The head of the request that came last.
    pub(crate) fn head(&self) -> Option<RequestHead<'_>> {
        Some(self.spans.as_ref()?.in_bytes(self.input.bytes()))
    }

    /// Drops the head: the body is next. `facts` is what the head said.
    pub(crate) fn begin(&mut self, facts: Option<RequestFacts>) {
        let Some(spans) = self.spans.take() else { return };
        let head = spans.in_bytes(self.input.bytes());
        self.version = head.version();
        self.to_head = *head.method() == Method::HEAD;
        self.idempotent = head.method().is_idempotent();
        let size = head.size();
        self.input.consume(size);
        if self.input.is_empty() {
            // The upstream's side uses the same buffer next.
            self.input.settle();
        }
        SPANS.with(|spare| spare.set(Some(spans)));
        let facts = facts.unwrap_or(RequestFacts {
            framing: RequestFraming::None,
            persistent: false,
            expects_continue: false,
        });
        self.persistent = facts.persistent;
        self.expects_continue = facts.expects_continue;
        self.body = BodyDecoder::of_request(facts.framing);
        self.body_ended = self.body.remaining() == Some(0);
        self.body_bytes = 0;
        self.asks_socket = true;
    }

    /// Whether the request is HEAD.
    pub(crate) fn is_head(&self) -> bool {
        self.to_head
    }

    /// Whether the request may be sent twice (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Whether some of the request's body is still to be read.
    pub(crate) fn has_body(&self) -> bool {
        !self.body_ended
    }

    /// How long the body is, as far as the head says so.
    pub(crate) fn body_size(&self) -> SizeHint {
        self.body.remaining().map(SizeHint::with_exact).unwrap_or_default()
    }

    /// How much of the body has come.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Whether another request may follow, as far as was said so far.
    pub(crate) fn persists(&self) -> bool {
        self.persistent && !self.draining.load(Ordering::Acquire)
    }

    /// Says that no other request follows.
    pub(crate) fn close(&mut self) {
        self.persistent = false;
    }

    /// Whether the connection can go on behind the response: the response did not say that it is the last one, and the request
    /// has been read to its end.
    pub(crate) fn goes_on(&mut self) -> bool {
        // A client that waits for `100 Continue` may send the body or not.
        self.persistent && (self.body_ended || !self.expects_continue && self.skip_body())
    }

    /// Drops what has come of a body that nobody reads; whether that was all of it.
    fn skip_body(&mut self) -> bool {
        while !self.body_ended {
            let Ok(decoded) = self.body.decode(self.input.bytes()) else { return false };
            let (consumed, more) = (decoded.consumed, !decoded.data.is_empty());
            self.body_ended = decoded.ended;
            self.input.consume(consumed);
            if !more {
                break;
            }
        }
        self.body_ended
    }

    /// What goes to the client next is appended to this.
    fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = buffers::lend();
        }
        &mut self.out
    }

    /// Whether the client has taken all that was written.
    pub(crate) fn has_taken_all(&self) -> bool {
        self.written == self.out.len()
    }
}

impl<I: Socket> Client<I> {
    /// Reads the head of the next request.
    pub(crate) fn poll_head(
        &mut self,
        limits: HeadLimits,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HeadEnd>> {
        let mut spans = SPANS.with(Cell::take).unwrap_or_default();
        let head = self.poll_spans(&mut spans, limits, cx);
        match head {
            Poll::Ready(Ok(())) => {
                self.spans = Some(spans);
                self.scanned = 0;
            }
            _ => {
                SPANS.with(|spare| spare.set(Some(spans)));
                self.input.settle();
            }
        }
        head
    }

    fn poll_spans(
        &mut self,
        spans: &mut RequestSpans,
        limits: HeadLimits,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HeadEnd>> {
        loop {
            let bytes = self.input.bytes();
            // A head that is not whole becomes so, or is found to be none, only with the end of a line.
            let new = bytes.get(self.scanned..).unwrap_or_default();
            if self.scanned == 0 && !new.is_empty()
                || bytes.len() >= limits.max_size
                || memchr::memchr(b'\n', new).is_some()
            {
                match spans.parse(bytes, limits) {
                    Ok(Some(_)) => return Poll::Ready(Ok(())),
                    Ok(None) => {}
                    Err(fault) => return Poll::Ready(Err(HeadEnd::Fault(fault))),
                }
            }
            self.scanned = bytes.len();
            if std::mem::take(&mut self.asks_socket) && !self.end_of_input {
                ready!(self.io.poll_readable(cx));
            }
            match ready!(self.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(HeadEnd::Closed)),
            }
        }
    }

    /// Reads more. Ready with 0 at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.end_of_input {
            return Poll::Ready(Ok(0));
        }
        let mut room = ReadBuf::new(self.input.room());
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.input.fill(read);
        if read == 0 {
            self.end_of_input = true;
            self.silent_since = Some(turn::now());
        }
        Poll::Ready(Ok(read))
    }

    /// Writes what the client has not taken yet. An error also where the client takes nothing for too long.
    pub(crate) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let rest = self.out.get(self.written..).unwrap_or_default();
            let written = if rest.is_empty() {
                match Pin::new(&mut self.io).poll_flush(cx) {
                    Poll::Ready(Ok(())) => {
                        if std::mem::take(&mut self.flushing) {
                            self.progresses();
                        }
                        self.written = 0;
                        buffers::give_back(std::mem::take(&mut self.out));
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        self.flushing = true;
                        Poll::Pending
                    }
                }
            } else {
                Pin::new(&mut self.io).poll_write(cx, rest)
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.progresses();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_blocked(cx),
            }
        }
    }

    /// Writes `data` itself, behind all that was written before, without a copy of it.
    fn poll_write(&mut self, data: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(cx, data) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(written) => {
                self.progresses();
                Poll::Ready(written)
            }
            Poll::Pending => self.poll_blocked(cx).map_ok(|()| 0),
        }
    }

    /// The client takes nothing: waits no longer than it may leave a response unread.
    #[cold]
    fn poll_blocked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let until = *self.blocked_until.get_or_insert_with(|| turn::now() + self.timeouts.write);
        let _ = ready!(self.alarm.poll(until, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// The client took something.
    fn progresses(&mut self) {
        self.blocked_until = None;
        if self.silent_since.is_some() {
            self.silent_since = Some(turn::now());
        }
    }

    /// Looks whether the client has gone while something else is waited for. What the client sends ahead is kept, up to
    /// what one read takes.
    ///
    /// A client that has closed its sending side may still read (RFC 9112 §9.6), or it may have gone: only what is sent to
    /// it would tell. It is served as long as it is sent something now and then.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.has_taken_all() && matches!(self.poll_out(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        if self.body_ended
            && self.input.is_empty()
            && !self.end_of_input
            && self.io.poll_readable(cx).is_ready()
        {
            if let Poll::Ready(Err(_)) = self.poll_read(cx) {
                return Poll::Ready(());
            }
            self.input.settle();
        }
        match self.silent_since {
            None => Poll::Pending,
            Some(since) => self.alarm.poll(since + self.timeouts.half_closed, cx).map(|_| ()),
        }
    }

    /// Ready when the client has closed its sending side, or has gone, while its request waits for its turn.
    pub(crate) fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.body_ended || !self.input.is_empty() {
            return Poll::Pending;
        }
        match self.poll_read(cx) {
            Poll::Ready(Ok(1..)) => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => {
                self.input.settle();
                Poll::Pending
            }
        }
    }

    /// Writes all there is.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_out(cx)).await
    }
}

#[cfg(test)]
mod tests;
