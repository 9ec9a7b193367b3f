//! A request on its way to a server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite as _;

use crate::http1::buffers;
use crate::upstream::downstream::{BodyFault, Downstream};
use crate::upstream::io::Io;

/// Why the rest of a request cannot be sent.
#[derive(Debug)]
pub(crate) enum SendFault {
    /// Its own body broke off, or is not what its head said.
    Body(BodyFault),
    /// The server takes no more.
    Io(io::Error),
}

/// A request being sent. One value is used for one request after the other.
#[derive(Debug, Default)]
pub(crate) struct RequestWriter {
    /// The head and the first piece of the body, and then one further piece after the other.
    out: Vec<u8>,
    sent: usize,
    /// What `out` held first is gone: the request cannot be sent from its beginning again.
    moved_on: bool,
    /// `out` has the piece of the body that is sent with it.
    loaded: bool,
    body_ended: bool,
    /// What the socket took has left it: a TLS session keeps what the network does not take at once.
    flushed: bool,
    /// The server takes no more, but what it said before may still come.
    refused: bool,
    /// The head, once `out` does not have it any more.
    head: Vec<u8>,
}

impl RequestWriter {
    /// Begins a request: its head is to be written to what this returns.
    pub(crate) fn begin(&mut self, has_body: bool) -> &mut Vec<u8> {
        let mut out = std::mem::take(&mut self.out);
        if out.capacity() == 0 {
            out = buffers::lend();
        }
        out.clear();
        *self = Self { out, body_ended: !has_body, ..Self::default() };
        &mut self.out
    }

    /// Says whether there is a body behind the head.
    pub(crate) fn expect_body(&mut self, has_body: bool) {
        self.body_ended = !has_body;
    }

    /// The head that was sent, and perhaps what is behind it.
    pub(crate) fn head(&self) -> &[u8] {
        if self.moved_on { &self.head } else { &self.out }
    }

    /// Puts the whole body behind the head, with its length. The head ends with its last header if it says no length,
    /// and with the empty line if it does.
    pub(crate) fn set_body(&mut self, body: &[u8]) {
        if !self.out.ends_with(b"\r\n\r\n") {
            self.out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        }
        self.out.extend_from_slice(body);
        self.body_ended = true;
    }

    /// Replaces the value of `Host`, which is the first header. Only before anything has been sent.
    pub(crate) fn set_host(&mut self, host: &str) {
        let line_end = |from: usize| self.out.get(from..).and_then(|rest| memchr::memchr(b'\r', rest));
        let Some(start) = line_end(0).map(|end| end + b"\r\nhost: ".len()) else { return };
        let Some(length) = line_end(start) else { return };
        self.out.splice(start..start + length, host.bytes());
    }

    /// The request is over: its buffer goes back to the thread.
    pub(crate) fn finish(&mut self) {
        buffers::give_back(std::mem::take(&mut self.out));
        self.sent = 0;
    }

    /// Whether not a byte has been sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.sent == 0 && !self.moved_on
    }

    /// Whether all has been sent.
    pub(crate) fn is_done(&self) -> bool {
        self.flushed && self.body_ended
    }

    /// Whether it is the client that is waited for: all that it has sent so far is on its way.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.flushed && !self.body_ended
    }

    /// Starts again from the beginning. Only for what is unsent, or has no body.
    pub(crate) fn rewind(&mut self) {
        (self.sent, self.flushed, self.refused) = (0, false, false);
    }

    /// Notes that the server takes no more.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Whether the server has stopped to take it.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Keeps a copy of the head, for what is said about the response.
    #[cold]
    fn keep_head(&mut self) {
        let end = memchr::memmem::find(&self.out, b"\r\n\r\n").unwrap_or_default();
        self.head.extend_from_slice(self.out.get(..end).unwrap_or_default());
    }

    /// Sends what there is to send. Ready once all of it has been sent.
    pub(crate) fn poll(
        &mut self,
        io: &mut Io,
        down: &mut impl Downstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendFault>> {
        loop {
            if self.sent == self.out.len() && !self.body_ended {
                if !self.moved_on {
                    self.keep_head();
                }
                self.out.clear();
                (self.sent, self.loaded, self.moved_on) = (0, false, true);
            }
            // The first piece goes with the head where it is there already. Where it is not, the head goes alone.
            let mut waits = false;
            if !self.body_ended && !self.loaded && self.sent == 0 {
                match down.poll_body(&mut self.out, cx) {
                    Poll::Ready(Ok(last)) => {
                        (self.loaded, self.body_ended, self.flushed) = (true, last, false);
                    }
                    Poll::Ready(Err(fault)) => return Poll::Ready(Err(SendFault::Body(fault))),
                    Poll::Pending => waits = true,
                }
            }
            let rest = self.out.get(self.sent..).unwrap_or_default();
            if !rest.is_empty() {
                match ready!(Pin::new(&mut *io).poll_write(cx, rest)).map_err(SendFault::Io)? {
                    0 => return Poll::Ready(Err(SendFault::Io(io::ErrorKind::WriteZero.into()))),
                    count => self.sent += count,
                }
                self.flushed = false;
                continue;
            }
            if !self.flushed {
                ready!(Pin::new(&mut *io).poll_flush(cx)).map_err(SendFault::Io)?;
                self.flushed = true;
            }
            if self.body_ended {
                return Poll::Ready(Ok(()));
            }
            if waits {
                return Poll::Pending;
            }
        }
    }
}
