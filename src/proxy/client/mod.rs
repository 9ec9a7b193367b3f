//! The client's side of an HTTP/1 connection: reads requests and writes responses, one at a time.

#[cfg(feature = "_fuzzing")]
pub(crate) mod fuzzing;
mod io;
mod relay;
mod respond;
mod socket;
mod upload;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Version};
use http_body::SizeHint;
use tokio::time::Instant;

pub(crate) use relay::{Relayed, ResponseTimeouts, relay};
pub(crate) use respond::Changes;
pub(crate) use socket::Socket;
pub(crate) use upload::Upload;

use crate::http1::{
    BodyDecoder, Input, RequestFacts, RequestFault, RequestFraming, RequestHead, RequestSpans, buffers,
};
use crate::upstream::alarm::Alarm;
use crate::upstream::http1::logins::Logins;

/// The timeouts for an inactive client while a request is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientTimeouts {
    /// How long a write may block because the client does not read.
    pub(crate) write: Duration,
    /// How long a client that has closed its sending side is still served while nothing is sent to it.
    pub(crate) half_closed: Duration,
}

thread_local! {
    /// Spare spans for the next request head of this thread.
    static SPANS: Cell<Option<Box<RequestSpans>>> = const { Cell::new(None) };
}

/// Why no further request was read.
#[derive(Debug)]
pub(crate) enum HeadEnd {
    /// The client closed the connection, or it broke.
    Closed,
    /// The client sent an invalid request.
    Fault(RequestFault),
}

/// The client's side of a connection. It holds no buffer while it is idle.
pub(crate) struct Client<I> {
    io: I,
    input: Input,
    /// The pending output. The bytes before `written` have been written to the socket.
    out: Vec<u8>,
    written: usize,
    alarm: Alarm,
    timeouts: ClientTimeouts,
    /// When a blocked write times out.
    blocked_until: Option<Instant>,
    /// Whether the process is shutting down. No further request is then accepted.
    draining: Arc<AtomicBool>,
    end_of_input: bool,
    /// Whether to poll the socket before a buffer is taken: the next request has usually not arrived yet.
    poll_before_read: bool,
    /// When the client was last sent something, once it has closed its sending side.
    silent_since: Option<Instant>,
    /// Whether a flush of the socket is pending.
    flushing: bool,
    spans: Option<Box<RequestSpans>>,
    /// The length of the input that was scanned without finding the end of a head.
    scanned: usize,
    version: Version,
    is_head: bool,
    idempotent: bool,
    persistent: bool,
    expects_continue: bool,
    body: BodyDecoder,
    body_ended: bool,
    body_bytes: u64,
    logins: Logins,
}

impl<I> Client<I> {
    /// Creates the client's side of a new connection.
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
            poll_before_read: false,
            silent_since: None,
            flushing: false,
            spans: None,
            scanned: 0,
            version: Version::HTTP_11,
            is_head: false,
            idempotent: false,
            persistent: true,
            expects_continue: false,
            body: BodyDecoder::Length(0),
            body_ended: true,
            body_bytes: 0,
            logins: Logins::default(),
        }
    }

    /// Returns the upstream connections that carry this client's logins. They end with the client's
    /// connection.
    pub(crate) fn logins(&mut self) -> &mut Logins {
        &mut self.logins
    }

    /// Returns the timer of the task that serves the client.
    pub(crate) fn alarm(&mut self) -> &mut Alarm {
        &mut self.alarm
    }

    /// Returns whether bytes of a request have been received.
    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Returns whether the client has closed its sending side.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.end_of_input
    }

    /// Returns the socket.
    pub(crate) fn io(&mut self) -> &mut I {
        &mut self.io
    }

    /// Takes the input that follows the current request.
    pub(crate) fn take_input(&mut self) -> Vec<u8> {
        self.input.take()
    }

    /// Returns the empty read buffer to its pool before the task sleeps.
    pub(crate) fn settle(&mut self) {
        self.input.settle();
    }

    /// Discards the received input.
    pub(crate) fn discard_input(&mut self) {
        let count = self.input.bytes().len();
        self.input.consume(count);
    }

    /// Returns the head of the request that was read last.
    pub(crate) fn head(&self) -> Option<RequestHead<'_>> {
        Some(self.spans.as_ref()?.in_bytes(self.input.bytes()))
    }

    /// Discards the head and prepares to read the body. `facts` describes the framing from the head.
    pub(crate) fn begin(&mut self, facts: Option<RequestFacts>) {
        let Some(spans) = self.spans.take() else { return };
        let head = spans.in_bytes(self.input.bytes());
        self.version = head.version();
        self.is_head = *head.method() == Method::HEAD;
        self.idempotent = head.method().is_idempotent();
        let size = head.size();
        self.input.consume(size);
        if self.input.is_empty() {
            // The upstream connection can then reuse this buffer.
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
        self.poll_before_read = true;
    }

    /// Returns whether the request method is HEAD.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Returns whether the request is idempotent and may be sent twice (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Returns whether a part of the request body has not been read yet.
    pub(crate) fn has_body(&self) -> bool {
        !self.body_ended
    }

    /// Returns the length of the body, as far as the head declares it.
    pub(crate) fn body_size(&self) -> SizeHint {
        self.body.remaining().map(SizeHint::with_exact).unwrap_or_default()
    }

    /// Returns the number of body bytes received so far.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Returns whether another request may follow on the connection.
    pub(crate) fn persists(&self) -> bool {
        self.persistent && !self.draining.load(Ordering::Acquire)
    }

    /// Marks the connection to be closed after the current response.
    pub(crate) fn close(&mut self) {
        self.persistent = false;
    }

    /// Returns whether another request can follow: the response did not announce the close of the connection,
    /// and the request has been read to its end.
    pub(crate) fn is_reusable(&mut self) -> bool {
        // A client that waits for `100 Continue` may omit the body.
        self.persistent && (self.body_ended || !self.expects_continue && self.skip_body())
    }

    /// Discards the received part of an unused body. Returns whether the body is complete.
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

    /// Returns the output buffer.
    fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = buffers::lend();
        }
        &mut self.out
    }

    /// Returns whether all output has been written to the socket.
    pub(crate) fn is_flushed(&self) -> bool {
        self.written == self.out.len()
    }
}

#[cfg(test)]
mod tests;
