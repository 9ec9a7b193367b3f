//! A connection to a server.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, Sleep};

use super::answer::{Answer, Asked, take_head};
use super::request::{SendFault, Sending};
use crate::proxy::headers::ResponseError;
use crate::proxy::io::Io;
use crate::proxy::resolve::Place;
use crate::telemetry::{Event, Standing};

/// How much is read at once: a head, or an answer that is not large.
const READ: usize = 8 * 1024;
/// The same for the middle of a large answer.
const READ_MUCH: usize = 64 * 1024;
/// Interim answers (RFC 9110 §15.2) before the answer. No honest server sends more.
const MAX_INTERIM: u32 = 16;

/// Why there is no answer, or no more of it.
#[derive(Debug)]
#[non_exhaustive]
pub(in crate::proxy) enum Fault {
    /// The server closed the connection.
    Closed,
    /// The connection broke.
    Io(io::Error),
    /// What came is not an answer that could be passed on.
    Bad(&'static str),
    /// Two readers might see its end in two places.
    Framing(ResponseError),
    /// The request's own body broke off.
    Request,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Io(error) => write!(f, "the connection to the server broke: {error}"),
            Self::Bad(what) => write!(f, "the server's answer is no HTTP that could be passed on: {what}"),
            Self::Framing(error) => error.fmt(f),
            Self::Request => f.write_str("the request's body broke off"),
        }
    }
}

impl std::error::Error for Fault {}

/// A connection to a server, used by one request at a time, and polled by the task that serves its client.
pub(in crate::proxy) struct Connection {
    pub(super) io: Io,
    /// What was read and not yet used.
    pub(super) input: BytesMut,
    /// The alarm that its exchanges use in turn: a timer that is only ever moved later costs next to nothing, one
    /// made for each request does not.
    pub(in crate::proxy) deadline: Pin<Box<Sleep>>,
    /// What it is pooled under.
    pub(in crate::proxy) server: u64,
    /// Where it leads.
    pub(in crate::proxy) place: Place,
    /// When it was last used: the beginning of its last exchange, which spares a look at the clock at the end.
    pub(in crate::proxy) used: Instant,
    /// Counts it as open, and while it is pooled as idle.
    _open: Standing,
    pub(in crate::proxy) idle: Option<Standing>,
    interim: u32,
    persists: bool,
    /// The last read took all there was room for.
    flows: bool,
}

impl Connection {
    /// A connection on a socket just connected.
    pub(in crate::proxy) fn new(io: Io, server: u64, place: Place) -> Self {
        let now = Instant::now();
        Self {
            io,
            input: BytesMut::new(),
            deadline: Box::pin(tokio::time::sleep_until(now)),
            server,
            place,
            used: now,
            _open: Standing::new(Event::UpstreamOpened, Event::UpstreamClosed),
            idle: None,
            interim: 0,
            persists: true,
            flows: false,
        }
    }

    /// Whether the server has said nothing since the last answer: what it says unasked is goodbye, or worse.
    /// Costs no system call where nothing came.
    pub(in crate::proxy) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.input.is_empty() && self.poll_read(cx, READ).is_pending()
    }

    /// Sends what is left of a request and reads the head of its answer, which may come before all has been sent.
    pub(in crate::proxy) fn poll_exchange(
        &mut self,
        sending: &mut Sending,
        asked: Asked,
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
                if self.input.len() > super::answer::MAX_HEAD {
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
    pub(in crate::proxy) fn poll_send(&mut self, sending: &mut Sending, cx: &mut Context<'_>) -> Poll<()> {
        if sending.is_refused() {
            return Poll::Ready(());
        }
        let sent = ready!(sending.poll(&mut self.io, cx));
        // The answer may be whole even so, but then no other request may follow on the connection.
        self.persists &= sent.is_ok();
        Poll::Ready(())
    }

    /// Whether another request may be sent now that the answer has been read to its end.
    pub(in crate::proxy) fn persists(&self) -> bool {
        self.persists && self.input.is_empty()
    }

    /// Gives up what a large answer took.
    pub(in crate::proxy) fn rest(&mut self) {
        if self.input.capacity() > READ {
            self.input = BytesMut::new();
        }
    }

    /// The socket, and what was read from it beyond the head of a 101.
    pub(in crate::proxy) fn into_parts(self) -> (Io, BytesMut) {
        (self.io, self.input)
    }

    /// Reads more, of which so much is expected. Ready with 0 at the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, expected: usize) -> Poll<io::Result<usize>> {
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

/// Whether the connection is over, for reading too, once what came before has been read.
fn ends_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
