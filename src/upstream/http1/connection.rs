//! A connection to a server.

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
    Asked, BodyDecoder, Decoded, Input, ResponseFacts, ResponseFault, ResponseFraming, ResponseHead,
    ResponseSpans, Trailers,
};
use crate::telemetry::{Event, GaugeGuard};
use crate::upstream::downstream::Downstream;
use crate::upstream::io::Io;
use crate::upstream::resolve::ResolvedAddr;
use crate::upstream::server::Server;

/// Interim responses (RFC 9110 §15.2) before the response. No honest server sends more.
const MAX_INTERIM: u32 = 16;

thread_local! {
    /// Spans that no connection needs at the moment.
    static SPANS: Cell<Option<Box<ResponseSpans>>> = const { Cell::new(None) };
}

/// A connection to a server, used by one request at a time, and polled by the task that serves its client. It owns no
/// buffer while it is idle.
pub(crate) struct Connection {
    io: Io,
    /// What was read and not used yet.
    input: Input,
    /// Of the head that was read, until it is consumed.
    spans: Option<Box<ResponseSpans>>,
    facts: ResponseFacts,
    body: BodyDecoder,
    /// Where in the input the piece of the body is that was read last and is not used up.
    piece: (usize, usize),
    body_ended: bool,
    /// What it is pooled under.
    pub(super) server: u64,
    /// Where it leads.
    pub(super) place: ResolvedAddr,
    /// When it was last used: the beginning of its last exchange.
    pub(crate) used: Instant,
    /// How long after that another request may be sent.
    pub(super) idle_timeout: Duration,
    /// Counts it as open, and while it is pooled as idle.
    _open: GaugeGuard,
    pub(super) idle: Option<GaugeGuard>,
    interim: u32,
    reuse: Reuse,
    /// The response has usually not come when it is looked for first, so the socket is asked before a buffer is lent.
    asks_socket: bool,
}

/// Which requests may follow on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    /// Those of every client.
    Shared,
    /// Those of one client connection: it carries that client's login.
    OneClient,
    /// None: a request could not be sent whole.
    Never,
}

impl Connection {
    /// A connection on a socket just connected.
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

    /// Whether the server has said nothing since the last response: what it says unasked is goodbye, or worse. Costs no
    /// system call where nothing came, and leaves no waker.
    pub(super) fn is_quiet(&self) -> bool {
        self.input.is_empty() && self.io.is_quiet()
    }

    /// Sends what is left of a request and reads the head of its response, which may come before all has been sent. The
    /// response can then be had from [`Self::head`]. Interim responses go to the client.
    pub(crate) fn poll_head(
        &mut self,
        writer: &mut RequestWriter,
        down: &mut impl Downstream,
        asked: Asked,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        if !writer.is_done() && !writer.is_refused() {
            match writer.poll(&mut self.io, down, cx) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(SendFault::Body(fault))) => return Poll::Ready(Err(Fault::Body(fault))),
                // The server may have answered before it stopped to read, as with a 413. A connection that broke has
                // something to read in any case, if only its end.
                Poll::Ready(Err(SendFault::Io(error))) if ends_connection(&error) => writer.refuse(),
                Poll::Ready(Err(SendFault::Io(error))) => return Poll::Ready(Err(Fault::Io(error))),
            }
        }
        let mut spans = SPANS.with(Cell::take).unwrap_or_default();
        let head = self.poll_final_head(&mut spans, down, asked, cx);
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
        asked: Asked,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseFacts, Fault>> {
        // Where a head may have been completed: a head ends with a line.
        let mut line_ended = !self.input.is_empty() && self.interim > 0;
        loop {
            while line_ended {
                let Some(size) = spans.parse(self.input.bytes()).map_err(Fault::Response)? else { break };
                let head = spans.in_bytes(self.input.bytes());
                if !head.is_interim() {
                    self.interim = 0;
                    return Poll::Ready(head.facts(asked).map_err(Fault::Response));
                }
                // The gateway itself has asked the client to continue.
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
            // What is not HTTP is known from its first bytes.
            line_ended = before == 0
                || before >= crate::http1::MAX_RESPONSE_HEAD
                || self.input.bytes().get(before..).is_some_and(|new| memchr::memchr(b'\n', new).is_some());
        }
    }

    /// The head of the response. Empty once it has been consumed.
    pub(crate) fn head(&self) -> Option<ResponseHead<'_>> {
        Some(self.spans.as_ref()?.in_bytes(self.input.bytes()))
    }

    /// What the head said.
    pub(crate) fn facts(&self) -> ResponseFacts {
        self.facts
    }

    /// Drops the head: the body is next.
    pub(crate) fn consume_head(&mut self) {
        if let Some(spans) = self.spans.take() {
            self.input.consume(spans.in_bytes(&[]).size());
            SPANS.with(|spare| spare.set(Some(spans)));
        }
    }

    /// Goes on sending a request whose response has begun. Ready when it has been sent, or the server takes no more.
    pub(crate) fn poll_send(
        &mut self,
        writer: &mut RequestWriter,
        down: &mut impl Downstream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !writer.is_refused() {
            let sent = ready!(writer.poll(&mut self.io, down, cx));
            // The response may be whole even so, but then no other request may follow on the connection.
            if sent.is_err() {
                self.reuse = Reuse::Never;
            }
        }
        Poll::Ready(())
    }

    /// Reads the next piece of the body, if the last one is used up, and returns it: empty at the end of the body.
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

    /// What is left of the piece that was read last.
    pub(crate) fn data(&self) -> &[u8] {
        self.input.bytes().get(self.piece.0..self.piece.1).unwrap_or_default()
    }

    /// Uses up this much of it.
    pub(crate) fn use_data(&mut self, count: usize) {
        self.piece.0 = (self.piece.0 + count).min(self.piece.1);
        if self.piece.0 == self.piece.1 {
            self.input.consume(self.piece.1);
            self.piece = (0, 0);
        }
    }

    /// Gives the buffer back before the task sleeps.
    pub(crate) fn settle(&mut self) {
        self.input.settle();
    }

    /// Whether the body is over with the piece that was read last.
    pub(crate) fn is_ended(&self) -> bool {
        self.body_ended
    }

    /// How much of the body is still to come, where that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        if self.body_ended { Some(0) } else { self.body.remaining() }
    }

    /// The trailers of a body that is over.
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

    /// Whether a request of any client may be sent, now that the response has been read to its end.
    pub(super) fn is_shareable(&self) -> bool {
        self.reuse == Reuse::Shared && self.persists()
    }

    /// Whether another request may be sent, now that the response has been read to its end.
    pub(super) fn persists(&self) -> bool {
        self.facts.persistent && self.reuse != Reuse::Never && self.body_ended && self.input.is_empty()
    }

    /// Gives the buffer back while the connection is idle.
    pub(super) fn rest(&mut self) {
        if let Some(seconds) = self.facts.keep_alive {
            self.obey(seconds);
        }
        self.input.settle();
        self.body = BodyDecoder::Length(0);
        self.asks_socket = true;
    }

    /// The socket, and what was read from it behind the head of a 101.
    pub(crate) fn into_parts(mut self) -> (Io, Vec<u8>) {
        self.consume_head();
        let said = self.input.take();
        (self.io, said)
    }

    /// Keeps the connection for less time than the server does, which closes it `seconds` after a response. A request
    /// that meets the close could not be sent again if it may not reach a server twice.
    #[cold]
    fn obey(&mut self, seconds: u32) {
        let theirs = Duration::from_secs(u64::from(seconds));
        let margin = (theirs / 5).min(Duration::from_secs(1));
        self.idle_timeout = self.idle_timeout.min(theirs.saturating_sub(margin));
    }

    /// Reads more. Ready with 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(self.input.room());
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.input.fill(read);
        Poll::Ready(Ok(read))
    }
}

/// Whether the connection is over, for reading too, once what came before has been read.
fn ends_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
