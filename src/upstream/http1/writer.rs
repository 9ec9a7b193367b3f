//! Sends a request to an upstream server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite as _;

use crate::http1::buffers;
use crate::upstream::downstream::{BodyFault, Downstream};
use crate::upstream::io::Io;

/// The reason why the rest of a request cannot be sent.
#[derive(Debug)]
pub(crate) enum SendFault {
    /// The body failed, or does not match the head.
    Body(BodyFault),
    /// The server accepts no more bytes.
    Io(io::Error),
}

/// A request that is being sent. One value is reused for successive requests.
#[derive(Debug, Default)]
pub(crate) struct RequestWriter {
    /// The head and the first piece of the body, and then one piece after the other.
    out: Vec<u8>,
    sent: usize,
    /// Whether the first content of `out` has been discarded, so that the request cannot be sent again from
    /// its beginning.
    moved_on: bool,
    /// Whether `out` contains the piece of the body that is sent with it.
    loaded: bool,
    body_ended: bool,
    /// Whether everything that the socket accepted was flushed. A TLS session buffers what the network does
    /// not accept at once.
    flushed: bool,
    /// Whether the server accepts no more bytes. A response that it sent before may still arrive.
    refused: bool,
    /// A copy of the head, once `out` no longer contains it.
    head: Vec<u8>,
}

impl RequestWriter {
    /// Starts a request. The caller writes the head to the returned buffer.
    pub(crate) fn begin(&mut self, has_body: bool) -> &mut Vec<u8> {
        let mut out = std::mem::take(&mut self.out);
        if out.capacity() == 0 {
            out = buffers::lend();
        }
        out.clear();
        *self = Self { out, body_ended: !has_body, ..Self::default() };
        &mut self.out
    }

    /// Sets whether a body follows the head.
    pub(crate) fn expect_body(&mut self, has_body: bool) {
        self.body_ended = !has_body;
    }

    /// Returns the head that was sent, possibly followed by other bytes.
    pub(crate) fn head(&self) -> &[u8] {
        if self.moved_on { &self.head } else { &self.out }
    }

    /// Appends the whole body to the head, with its length. If the head does not contain a length, it must
    /// end with its last header; otherwise it must end with the empty line.
    pub(crate) fn set_body(&mut self, body: &[u8]) {
        if !self.out.ends_with(b"\r\n\r\n") {
            self.out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        }
        self.out.extend_from_slice(body);
        self.body_ended = true;
    }

    /// Replaces the value of `Host`, which is the first header. Allowed only before anything has been sent.
    pub(crate) fn set_host(&mut self, host: &str) {
        let line_end = |from: usize| self.out.get(from..).and_then(|rest| memchr::memchr(b'\r', rest));
        let Some(start) = line_end(0).map(|end| end + b"\r\nhost: ".len()) else { return };
        let Some(length) = line_end(start) else { return };
        self.out.splice(start..start + length, host.bytes());
    }

    /// Ends the request, and returns its buffer to the thread.
    pub(crate) fn finish(&mut self) {
        buffers::give_back(std::mem::take(&mut self.out));
        self.sent = 0;
    }

    /// Returns whether no byte has been sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.sent == 0 && !self.moved_on
    }

    /// Returns whether everything has been sent.
    pub(crate) fn is_done(&self) -> bool {
        self.flushed && self.body_ended
    }

    /// Returns whether the writer waits for the client: everything that the client has sent so far was passed
    /// on.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.flushed && !self.body_ended
    }

    /// Restarts from the beginning. Allowed only if nothing was sent, or there is no body.
    pub(crate) fn rewind(&mut self) {
        (self.sent, self.flushed, self.refused) = (0, false, false);
    }

    /// Records that the server accepts no more bytes.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Returns whether the server has stopped accepting bytes.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Keeps a copy of the head, which is needed to process the response.
    #[cold]
    fn keep_head(&mut self) {
        let end = memchr::memmem::find(&self.out, b"\r\n\r\n").unwrap_or_default();
        self.head.extend_from_slice(self.out.get(..end).unwrap_or_default());
    }

    /// Sends the available bytes. Completes when everything has been sent.
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
            // The first piece is sent together with the head if it is available. Otherwise the head is sent
            // alone.
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
