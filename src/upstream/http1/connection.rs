//! A connection to a server.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Frame;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, Sleep};

use super::chunked::Step;
use super::fault::Fault;
use super::request::{RequestBody, RequestWriter, SendFault};
use super::response::{Answer, AnswerBody, MAX_HEAD, ResponseExpectation, take_head};
use crate::telemetry::{Event, GaugeGuard};
use crate::upstream::io::Io;
use crate::upstream::resolve::ResolvedAddr;

/// How much is read at once: a head, or an answer that is not large.
const READ: usize = 8 * 1024;
/// The same for the middle of a large answer.
const READ_MUCH: usize = 64 * 1024;
/// Interim answers (RFC 9110 §15.2) before the answer. No honest server sends more.
const MAX_INTERIM: u32 = 16;

/// A connection to a server, used by one request at a time, and polled by the task that serves its client.
pub(crate) struct Connection {
    pub(crate) io: Io,
    /// What was read and not yet used.
    pub(crate) input: BytesMut,
    /// The alarm that its exchanges use in turn: a timer that is only ever moved later costs next to nothing, one
    /// made for each request does not.
    pub(crate) deadline: Pin<Box<Sleep>>,
    /// What it is pooled under.
    pub(crate) server: u64,
    /// Where it leads.
    pub(crate) place: ResolvedAddr,
    /// When it was last used: the beginning of its last exchange, which spares a look at the clock at the end.
    pub(crate) used: Instant,
    /// Counts it as open, and while it is pooled as idle.
    _open: GaugeGuard,
    pub(crate) idle: Option<GaugeGuard>,
    interim: u32,
    persists: bool,
    /// The last read took all there was room for.
    flows: bool,
}

impl Connection {
    /// A connection on a socket just connected.
    pub(crate) fn new(io: Io, server: u64, place: ResolvedAddr) -> Self {
        let now = Instant::now();
        Self {
            io,
            input: BytesMut::new(),
            deadline: Box::pin(tokio::time::sleep_until(now)),
            server,
            place,
            used: now,
            _open: GaugeGuard::new(Event::UpstreamOpened, Event::UpstreamClosed),
            idle: None,
            interim: 0,
            persists: true,
            flows: false,
        }
    }

    /// Whether the server has said nothing since the last answer: what it says unasked is goodbye, or worse.
    /// Costs no system call where nothing came.
    pub(crate) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.input.is_empty() && self.poll_read(cx, READ).is_pending()
    }

    /// Sends what is left of a request and reads the head of its answer, which may come before all has been sent.
    pub(crate) fn poll_exchange<B: RequestBody>(
        &mut self,
        sending: &mut RequestWriter<B>,
        asked: ResponseExpectation,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answer, Fault>> {
        if !sending.is_done() && !sending.is_refused() {
            match sending.poll(&mut self.io, cx) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(SendFault::Body)) => return Poll::Ready(Err(Fault::Request)),
                // The server may have answered before it stopped to read, as with a 413. A connection that broke has
                // something to read in any case, if only its end.
                Poll::Ready(Err(SendFault::Io(error))) if ends_connection(&error) => sending.refuse(),
                Poll::Ready(Err(SendFault::Io(error))) => return Poll::Ready(Err(Fault::Io(error))),
            }
        }
        loop {
            let before = self.input.len();
            match ready!(self.poll_read(cx, READ)) {
                Ok(0) => return Poll::Ready(Err(Fault::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Fault::Io(error))),
            }
            // A head ends with a line.
            if !self.input.get(before..).is_some_and(|new| new.contains(&b'\n')) {
                if self.input.len() > MAX_HEAD {
                    return Poll::Ready(Err(Fault::Bad("a head that is too large")));
                }
                continue;
            }
            while let Some(answer) = take_head(&mut self.input, asked)? {
                let status = answer.head.status();
                if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
                    self.interim = 0;
                    self.persists = answer.persists && !sending.is_refused();
                    return Poll::Ready(Ok(answer));
                }
                self.interim += 1;
                if self.interim > MAX_INTERIM {
                    return Poll::Ready(Err(Fault::Bad("too many interim answers")));
                }
            }
        }
    }

    /// Goes on sending a request whose answer has begun.
    pub(crate) fn poll_send<B: RequestBody>(
        &mut self,
        sending: &mut RequestWriter<B>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if sending.is_refused() {
            return Poll::Ready(());
        }
        let sent = ready!(sending.poll(&mut self.io, cx));
        // The answer may be whole even so, but then no other request may follow on the connection.
        self.persists &= sent.is_ok();
        Poll::Ready(())
    }

    /// The whole of a body, where it has come with the head already.
    pub(crate) fn take_whole(&mut self, body: &mut AnswerBody) -> Option<Bytes> {
        let AnswerBody::Length(left) = body else { return None };
        let size = usize::try_from(*left).ok().filter(|size| *size <= self.input.len())?;
        *left = 0;
        Some(self.input.split_to(size).freeze())
    }

    /// The next piece of a body.
    pub(crate) fn poll_body(
        &mut self,
        body: &mut AnswerBody,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        loop {
            match body {
                AnswerBody::Length(0) => return Poll::Ready(None),
                AnswerBody::Length(left) => {
                    let size = usize::try_from(*left).unwrap_or(usize::MAX).min(self.input.len());
                    if size > 0 {
                        *left -= size as u64;
                        return data(self.input.split_to(size));
                    }
                }
                AnswerBody::Chunked(chunked) => match chunked.step(&mut self.input).map_err(Fault::Bad)? {
                    Step::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Step::Trailers(trailers) => {
                        // Nothing is behind them, and nobody asks whether there is.
                        *body = AnswerBody::Length(0);
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                    Step::More => {}
                    Step::End => {
                        *body = AnswerBody::Length(0);
                        return Poll::Ready(None);
                    }
                },
                AnswerBody::ToTheEnd => {
                    if !self.input.is_empty() {
                        return data(self.input.split());
                    }
                }
            }
            let expected = match body {
                AnswerBody::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
                _ => usize::MAX,
            };
            if ready!(self.poll_read(cx, expected)).map_err(Fault::Io)? == 0 {
                if matches!(body, AnswerBody::ToTheEnd) {
                    *body = AnswerBody::Length(0);
                    return Poll::Ready(None);
                }
                return Poll::Ready(Some(Err(Fault::Closed)));
            }
        }
    }

    /// Whether another request may be sent now that the answer has been read to its end.
    pub(crate) fn persists(&self) -> bool {
        self.persists && self.input.is_empty()
    }

    /// Gives up what a large answer took.
    pub(crate) fn rest(&mut self) {
        if self.input.capacity() > READ {
            self.input = BytesMut::new();
        }
    }

    /// The socket, and what was read from it beyond the head of a 101.
    pub(crate) fn into_parts(self) -> (Io, BytesMut) {
        (self.io, self.input)
    }

    /// Reads more, of which so much is expected. Ready with 0 at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, expected: usize) -> Poll<io::Result<usize>> {
        let room = self.input.capacity() - self.input.len();
        let wanted = if expected == usize::MAX && !self.flows { READ } else { expected.min(READ_MUCH) };
        // What is left of a buffer that filled up is too little to be worth a system call.
        if room < READ / 4 || wanted > READ && room < READ {
            self.input.reserve(wanted.max(READ));
        }
        let room = self.input.capacity() - self.input.len();
        let read = ready!(pin!(self.io.read_buf(&mut self.input)).poll(cx))?;
        self.flows = read == room;
        Poll::Ready(Ok(read))
    }
}

fn data(piece: BytesMut) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
    Poll::Ready(Some(Ok(Frame::data(piece.freeze()))))
}

/// Whether the connection is over, for reading too, once what came before has been read.
fn ends_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
