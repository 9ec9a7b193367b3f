//! An HTTP/1.1 connection to an upstream server.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Instant;

use super::fault::Fault;
use super::writer::{RequestWriter, SendFault};
use crate::http1::{
    BodyDecoder, Decoded, Input, ResponseExpectation, ResponseFacts, ResponseFault, ResponseFraming,
    ResponseHead, ResponseSpans, Trailers,
};
use crate::telemetry::{Event, GaugeGuard};
use crate::upstream::downstream::Downstream;
use crate::upstream::io::Io;
use crate::upstream::resolve::ResolvedAddr;
use crate::upstream::server::Server;

/// The maximum number of interim responses (RFC 9110 §15.2) before the final response.
const MAX_INTERIM: u32 = 16;

thread_local! {
    /// Spans that no connection is currently using.
    static SPANS: Cell<Option<Box<ResponseSpans>>> = const { Cell::new(None) };
}

/// A connection to a server. One request uses it at a time, and the task that serves the client polls it. It
/// owns no buffer while it is idle.
pub(crate) struct Connection {
    io: Io,
    /// The bytes that were read and not consumed yet.
    input: Input,
    /// The spans of the response head, until it is consumed.
    spans: Option<Box<ResponseSpans>>,
    facts: ResponseFacts,
    body: BodyDecoder,
    /// The part of the last body piece that has not been consumed, as a position in the input.
    piece: (usize, usize),
    body_ended: bool,
    /// The key of the server, under which the connection is pooled.
    pub(super) server: u64,
    /// The address that the connection leads to.
    pub(super) place: ResolvedAddr,
    /// The time of its last use: the start of the last exchange.
    pub(crate) used: Instant,
    /// How long after that time another request may be sent.
    pub(super) idle_timeout: Duration,
    /// Counts the connection as open, and as idle while it is pooled.
    _open: GaugeGuard,
    pub(super) idle: Option<GaugeGuard>,
    interim: u32,
    reuse: Reuse,
    /// Whether the socket is checked for data before a buffer is lent, because the response has usually not
    /// arrived at the first poll.
    asks_socket: bool,
}

/// Which requests may use a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    /// Requests of all clients.
    Shared,
    /// Requests of one client connection, because the connection carries that client's login.
    OneClient,
    /// No further requests: a request could not be sent completely.
    Never,
}

impl Connection {
    /// Creates a connection on a newly connected socket.
    pub(crate) fn new(io: Io, server: &Server, place: ResolvedAddr, now: Instant) -> Self {
        Self {
            io,
            input: Input::default(),
            spans: None,
            facts: ResponseFacts { framing: ResponseFraming::None, persistent: true, keep_alive: None },
            body: BodyDecoder::Length(0),
            piece: (0, 0),
            body_ended: true,
            server: server.key,
            place,
            used: now,
            idle_timeout: server.idle_timeout,
            _open: GaugeGuard::new(Event::UpstreamOpened, Event::UpstreamClosed),
            idle: None,
            interim: 0,
            reuse: Reuse::Shared,
            asks_socket: true,
        }
    }

    /// Returns whether the server has sent nothing since the last response. Unsolicited data means a close,
    /// or an error. If nothing has arrived, the check costs no system call, and it registers no waker.
    pub(super) fn is_quiet(&self) -> bool {
        self.input.is_empty() && self.io.is_quiet()
    }

    /// Sends the rest of a request and reads the head of its response, which may arrive before the request is
    /// sent completely. The head is then available from [`Self::head`]. Interim responses are sent to the
    /// client.
    pub(crate) fn poll_head(
        &mut self,
        writer: &mut RequestWriter,
        down: &mut impl Downstream,
        expected: ResponseExpectation,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        if !writer.is_done() && !writer.is_refused() {
            match writer.poll(&mut self.io, down, cx) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(SendFault::Body(fault))) => return Poll::Ready(Err(Fault::Body(fault))),
                // The server may have responded before it stopped reading, for example with a 413. A failed
                // connection is readable in any case, even if only its end can be read.
                Poll::Ready(Err(SendFault::Io(error))) if ends_connection(&error) => writer.refuse(),
                Poll::Ready(Err(SendFault::Io(error))) => return Poll::Ready(Err(Fault::Io(error))),
            }
        }
        let mut spans = SPANS.with(Cell::take).unwrap_or_default();
        let head = self.poll_final_head(&mut spans, down, expected, cx);
        match head {
            Poll::Ready(Ok(facts)) => {
                self.spans = Some(spans);
                self.facts = facts;
                self.body = BodyDecoder::of_response(facts.framing);
                self.body_ended = self.body.remaining() == Some(0);
                if writer.is_refused() {
                    self.reuse = Reuse::Never;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(fault)) => {
                SPANS.with(|spare| spare.set(Some(spans)));
                Poll::Ready(Err(fault))
            }
            Poll::Pending => {
                SPANS.with(|spare| spare.set(Some(spans)));
                self.input.settle();
                Poll::Pending
            }
        }
    }

    fn poll_final_head(
        &mut self,
        spans: &mut ResponseSpans,
        down: &mut impl Downstream,
        expected: ResponseExpectation,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseFacts, Fault>> {
        // Whether a head may have been completed. A head ends with a complete line.
        let mut line_ended = !self.input.is_empty() && self.interim > 0;
        loop {
            while line_ended {
                let Some(size) = spans.parse(self.input.bytes()).map_err(Fault::Response)? else { break };
                let head = spans.in_bytes(self.input.bytes());
                if !head.is_interim() {
                    self.interim = 0;
                    return Poll::Ready(head.facts(expected).map_err(Fault::Response));
                }
                // The gateway itself has sent 100 (Continue) to the client.
                if head.status() != http::StatusCode::CONTINUE {
                    down.interim(head);
                }
                self.input.consume(size);
                self.interim += 1;
                if self.interim > MAX_INTERIM {
                    return Poll::Ready(Err(Fault::Response(ResponseFault::TooManyInterim)));
                }
                line_ended = !self.input.is_empty();
            }
            if std::mem::take(&mut self.asks_socket) {
                ready!(self.io.poll_readable(cx));
            }
            let before = self.input.bytes().len();
            if ready!(self.poll_read(cx)).map_err(Fault::Io)? == 0 {
                return Poll::Ready(Err(if before == 0 { Fault::Closed } else { Fault::Cut }));
            }
            // Input that is not HTTP is recognized by its first bytes.
            line_ended = before == 0
                || before >= crate::http1::MAX_RESPONSE_HEAD
                || self.input.bytes().get(before..).is_some_and(|new| memchr::memchr(b'\n', new).is_some());
        }
    }

    /// Returns the head of the response. It is `None` once it has been consumed.
    pub(crate) fn head(&self) -> Option<ResponseHead<'_>> {
        Some(self.spans.as_ref()?.in_bytes(self.input.bytes()))
    }

    /// Returns the properties from the head.
    pub(crate) fn facts(&self) -> ResponseFacts {
        self.facts
    }

    /// Consumes the head, so that the body can be read.
    pub(crate) fn consume_head(&mut self) {
        if let Some(spans) = self.spans.take() {
            self.input.consume(spans.in_bytes(&[]).size());
            SPANS.with(|spare| spare.set(Some(spans)));
        }
    }

    /// Continues to send a request whose response has begun. Completes when the request is sent, or the
    /// server accepts no more.
    pub(crate) fn poll_send(
        &mut self,
        writer: &mut RequestWriter,
        down: &mut impl Downstream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !writer.is_refused() {
            let sent = ready!(writer.poll(&mut self.io, down, cx));
            // The response may still be complete, but no further request may use the connection.
            if sent.is_err() {
                self.reuse = Reuse::Never;
            }
        }
        Poll::Ready(())
    }

    /// Returns the current piece of the body. Reads the next one if the last one is consumed. The piece is
    /// empty at the end of the body.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<&[u8], Fault>> {
        while self.piece.0 == self.piece.1 && !self.body_ended {
            let Decoded { data, consumed, ended } =
                self.body.decode(self.input.bytes()).map_err(Fault::Chunk)?;
            let size = data.len();
            self.body_ended = ended;
            if size > 0 {
                self.piece = (consumed - size, consumed);
                break;
            }
            self.input.consume(consumed);
            if ended {
                break;
            }
            let read = self.poll_read(cx);
            if read.is_pending() {
                self.input.settle();
            }
            if ready!(read).map_err(Fault::Io)? == 0 {
                if !self.body.may_end_with_connection() {
                    return Poll::Ready(Err(Fault::Cut));
                }
                self.body_ended = true;
            }
        }
        Poll::Ready(Ok(self.data()))
    }

    /// Returns the body of this length, if all of it has already been received.
    pub(crate) fn received_whole(&mut self, length: u64) -> Option<&[u8]> {
        if u64::try_from(self.input.bytes().len()).ok()? < length {
            return None;
        }
        let decoded = self.body.decode(self.input.bytes()).ok()?;
        (self.piece, self.body_ended) =
            ((decoded.consumed - decoded.data.len(), decoded.consumed), decoded.ended);
        Some(self.data())
    }

    /// Returns the unconsumed rest of the last piece.
    pub(crate) fn data(&self) -> &[u8] {
        self.input.bytes().get(self.piece.0..self.piece.1).unwrap_or_default()
    }

    /// Consumes this many bytes of it.
    pub(crate) fn use_data(&mut self, count: usize) {
        self.piece.0 = (self.piece.0 + count).min(self.piece.1);
        if self.piece.0 == self.piece.1 {
            self.input.consume(self.piece.1);
            self.piece = (0, 0);
        }
    }

    /// Returns the buffer before the task is suspended.
    pub(crate) fn settle(&mut self) {
        self.input.settle();
    }

    /// Returns whether the last piece completed the body.
    pub(crate) fn is_ended(&self) -> bool {
        self.body_ended
    }

    /// Returns the number of body bytes that have not been read yet, if it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        if self.body_ended { Some(0) } else { self.body.remaining() }
    }

    /// Returns the trailers of a body that has been read completely.
    pub(crate) fn trailers(&self) -> Trailers<'_> {
        self.body.trailers()
    }

    /// Reserves the connection for the requests of one client connection.
    pub(crate) fn bind_to_client(&mut self) {
        if self.reuse == Reuse::Shared {
            self.reuse = Reuse::OneClient;
        }
    }

    /// Returns whether the connection serves one client connection only.
    pub(crate) fn is_bound(&self) -> bool {
        self.reuse == Reuse::OneClient
    }

    /// Returns whether requests of all clients may use the connection, once the response has been read
    /// completely.
    pub(super) fn is_shareable(&self) -> bool {
        self.reuse == Reuse::Shared && self.persists()
    }

    /// Returns whether another request may be sent, once the response has been read completely.
    pub(super) fn persists(&self) -> bool {
        self.facts.persistent && self.reuse != Reuse::Never && self.body_ended && self.input.is_empty()
    }

    /// Returns the buffer while the connection is idle.
    pub(super) fn rest(&mut self) {
        if let Some(seconds) = self.facts.keep_alive {
            self.obey(seconds);
        }
        self.input.settle();
        self.body = BodyDecoder::Length(0);
        self.asks_socket = true;
    }

    /// Returns the socket, and the bytes that were read after the head of a 101.
    pub(crate) fn into_parts(mut self) -> (Io, Vec<u8>) {
        self.consume_head();
        let said = self.input.take();
        (self.io, said)
    }

    /// Keeps the connection for less time than the server, which closes it `seconds` after a response. A
    /// request that arrives while the server closes the connection could not be retried if it must not reach
    /// a server twice.
    #[cold]
    fn obey(&mut self, seconds: u32) {
        let theirs = Duration::from_secs(u64::from(seconds));
        let margin = (theirs / 5).min(Duration::from_secs(1));
        self.idle_timeout = self.idle_timeout.min(theirs.saturating_sub(margin));
    }

    /// Reads more bytes. Completes with 0 at the end of the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(self.input.room());
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.input.fill(read);
        Poll::Ready(Ok(read))
    }
}

/// Returns whether the error means that the connection has ended, for reading too, once the data that arrived
/// before has been read.
fn ends_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
