//! A request on its way to a server.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite as _;

use crate::headers::{self, Framing, Outgoing};
use crate::upstream::io::Io;

/// The body of a request, as the writer needs it. Its error is the sender's to report.
pub(crate) trait RequestBody: Body<Data = Bytes> + Unpin {}

impl<B: Body<Data = Bytes> + Unpin> RequestBody for B {}

/// The head of a request, as it goes over the wire.
pub(crate) struct RequestHead {
    bytes: Vec<u8>,
    framing: Framing,
}

/// Most heads fit; a larger one grows it.
const USUAL_HEAD: usize = 1024;

impl RequestHead {
    /// The head that `outgoing` makes of a client's: with a canonical path, and the query as it came.
    pub(crate) fn new(
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        outgoing: &Outgoing<'_>,
    ) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_HEAD);
        bytes.extend_from_slice(method.as_str().as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(path.as_bytes());
        if let Some(query) = query {
            bytes.push(b'?');
            bytes.extend_from_slice(query.as_bytes());
        }
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        let framing = headers::for_upstream(headers, outgoing, |name, value| {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        });
        bytes.extend_from_slice(b"\r\n");
        Self { bytes, framing }
    }
}

/// Why the rest of a request cannot be sent.
#[derive(Debug)]
pub(crate) enum SendFault {
    /// Its own body broke off, or is not what its head said.
    Body,
    /// The server takes no more.
    Io(io::Error),
}

/// A request being sent.
pub(crate) struct RequestWriter<B> {
    head: Vec<u8>,
    head_sent: usize,
    framing: Framing,
    body: B,
    /// What the body still owes, where its length was said.
    owed: Option<u64>,
    /// All of the body is in `piece`, or was.
    body_ended: bool,
    piece: Piece,
    /// What the socket took has left it: a TLS session keeps what the network does not take at once.
    flushed: bool,
    /// The server takes no more, but what it said before may still come.
    refused: bool,
    /// It took some of the body since that was asked last.
    moved: bool,
}

/// A piece of a body in its frame.
#[derive(Default)]
struct Piece {
    before: Bytes,
    data: Bytes,
    after: Bytes,
}

impl Piece {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.data.is_empty() && self.after.is_empty()
    }

    /// Takes off what was sent.
    fn advance(&mut self, mut sent: usize) {
        for part in [&mut self.before, &mut self.data, &mut self.after] {
            let here = sent.min(part.len());
            drop(part.split_to(here));
            sent -= here;
        }
    }
}

impl<B: RequestBody> RequestWriter<B> {
    pub(crate) fn new(head: RequestHead, body: B) -> Self {
        let RequestHead { bytes, framing } = head;
        let owed = match framing {
            Framing::Length => body.size_hint().exact(),
            Framing::Unframed => Some(0),
            Framing::Chunked => None,
        };
        // Chunks have an end to send.
        let body_ended = framing != Framing::Chunked && body.is_end_stream();
        Self {
            head: bytes,
            head_sent: 0,
            framing,
            body,
            owed,
            body_ended,
            piece: Piece::default(),
            flushed: false,
            refused: false,
            moved: false,
        }
    }

    /// Whether not a byte has been sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.head_sent == 0
    }

    /// Whether all has been sent.
    pub(crate) fn is_done(&self) -> bool {
        self.flushed && self.body_ended
    }

    /// Whether it is the client that is waited for: all that it has sent so far is on its way.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.flushed && !self.body_ended
    }

    /// Whether the body has been going on since this was asked last.
    pub(crate) fn goes_on(&mut self) -> bool {
        mem::take(&mut self.moved) || self.waits_for_client()
    }

    /// To be sent again from its beginning. Only for what is unsent, or has no body.
    pub(crate) fn rewind(&mut self) {
        self.head_sent = 0;
        self.flushed = false;
        self.refused = false;
    }

    /// Notes that the server takes no more.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Whether the server has stopped to take it.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Sends what there is to send. Ready once all of it has been sent.
    pub(crate) fn poll(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<Result<(), SendFault>> {
        loop {
            // The first piece goes with the head where it is there already.
            let mut waits = false;
            if !self.body_ended && self.piece.is_empty() {
                waits = self.poll_body(cx)?.is_pending();
            }
            let head = self.head.get(self.head_sent..).unwrap_or_default();
            if head.is_empty() && self.piece.is_empty() {
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
                continue;
            }
            let sent = if self.piece.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, head))
            } else {
                let Piece { before, data, after } = &self.piece;
                let parts = [head, before, data, after].map(IoSlice::new);
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &parts))
            };
            let sent = sent.map_err(SendFault::Io)?;
            if sent == 0 {
                return Poll::Ready(Err(SendFault::Io(io::ErrorKind::WriteZero.into())));
            }
            self.flushed = false;
            let of_head = sent.min(self.head.len() - self.head_sent);
            self.head_sent += of_head;
            self.moved |= sent > of_head;
            self.piece.advance(sent - of_head);
        }
    }

    /// Takes the next piece of the body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendFault>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.flushed = false;
        match frame {
            Some(Ok(frame)) => self.load(frame)?,
            Some(Err(_)) => return Poll::Ready(Err(SendFault::Body)),
            None => self.end(None)?,
        }
        Poll::Ready(Ok(()))
    }

    fn load(&mut self, frame: Frame<Bytes>) -> Result<(), SendFault> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok().as_ref()),
        };
        if let Some(owed) = &mut self.owed {
            *owed = owed.checked_sub(data.len() as u64).ok_or(SendFault::Body)?;
            self.body_ended = *owed == 0;
        }
        // An empty chunk would be the end.
        if self.framing == Framing::Chunked && !data.is_empty() {
            self.piece.before = format!("{:x}\r\n", data.len()).into();
            self.piece.after = Bytes::from_static(b"\r\n");
        }
        self.piece.data = data;
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), SendFault> {
        self.body_ended = true;
        if self.owed.is_some_and(|owed| owed > 0) {
            return Err(SendFault::Body);
        }
        if self.framing == Framing::Chunked {
            let mut end = b"0\r\n".to_vec();
            for (name, value) in trailers.into_iter().flatten() {
                end.extend_from_slice(name.as_str().as_bytes());
                end.extend_from_slice(b": ");
                end.extend_from_slice(value.as_bytes());
                end.extend_from_slice(b"\r\n");
            }
            end.extend_from_slice(b"\r\n");
            self.piece.after = end.into();
        }
        Ok(())
    }
}
