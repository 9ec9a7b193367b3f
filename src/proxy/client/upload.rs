//! Reads a request body from the client. Enforces the size limit and the read timeout, and ends with the
//! token.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use http_body::Frame;
use tokio::time::Instant;

use super::{Client, Socket};
use crate::clock::turn;
use crate::gate::Gate;
use crate::headers::{RequestRules, Returning, for_client, passes_as_trailer};
use crate::http1::{ResponseHead, Runs, write_chunk, write_last_chunk};
use crate::oauth::decide::Lease;
use crate::proxy::body::lease::{TOKEN_CHECK, TokenCheck};
use crate::proxy::body::request::BodyLimits;
use crate::upstream::alarm::Alarm;
use crate::upstream::downstream::{BodyFault, Downstream};

/// The amount of body data that is read at once.
const PIECE: usize = 64 * 1024;

/// The client's side of one exchange.
pub(crate) struct Upload<'a, I> {
    pub(crate) client: &'a mut Client<I>,
    pub(crate) gate: &'a Gate,
    pub(crate) lease: &'a Lease,
    pub(crate) limits: BodyLimits,
    /// Whether the body is sent upstream chunked.
    pub(crate) chunked: bool,
    /// The header rules of the route. Trailers that look like one of these headers are removed.
    pub(crate) rules: Option<&'a RequestRules>,
    /// When the wait for the next piece times out.
    waiting_until: Option<Instant>,
    /// When to check the token next.
    next_check: Option<Instant>,
    /// The check that is under way, of the upload or of its response.
    pub(crate) token_check: TokenCheck,
}

impl<'a, I: Socket> Upload<'a, I> {
    /// Creates the reader of the body of the client's current request.
    pub(crate) fn new(
        client: &'a mut Client<I>,
        gate: &'a Gate,
        lease: &'a Lease,
        limits: BodyLimits,
        chunked: bool,
        rules: Option<&'a RequestRules>,
    ) -> Self {
        let (waiting_until, next_check, token_check) = Default::default();
        Self { client, gate, lease, limits, chunked, rules, waiting_until, next_check, token_check }
    }

    /// Polls the next piece of the body as a frame, for an HTTP/2 server.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, BodyFault>> {
        let mut data = Vec::new();
        let last = ready!(self.poll_piece(&mut data, false, cx))?;
        if !data.is_empty() || !last {
            return Poll::Ready(Ok(Some(Frame::data(data.into()))));
        }
        Poll::Ready(Ok(None))
    }

    /// Returns the trailers of a complete body.
    pub(crate) fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        for field in self.client.body.trailers().fields() {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(field.name), HeaderValue::from_bytes(field.value))
            {
                trailers.append(name, value);
            }
        }
        trailers
    }

    /// Appends the received part of the body to `out`, or waits for more. Completes with `true` at the end of
    /// the body.
    fn poll_piece(
        &mut self,
        out: &mut Vec<u8>,
        chunked: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, BodyFault>> {
        loop {
            let before = self.client.body_bytes;
            while !self.client.body_ended && out.len() < PIECE {
                let client = &mut *self.client;
                let decoded = client.body.decode(client.input.bytes()).map_err(|_| BodyFault::BrokenOff)?;
                client.body_bytes += decoded.data.len() as u64;
                if self.limits.max.is_some_and(|max| client.body_bytes > max) {
                    return Poll::Ready(Err(BodyFault::TooLarge));
                }
                if chunked {
                    write_chunk(out, decoded.data);
                } else {
                    out.extend_from_slice(decoded.data);
                }
                client.body_ended = decoded.ended;
                let (consumed, more) = (decoded.consumed, !decoded.data.is_empty());
                client.input.consume(consumed);
                if !more {
                    break;
                }
            }
            if self.client.body_ended {
                if chunked {
                    self.write_end(out);
                }
                if self.client.input.is_empty() {
                    // The connection waits for the response now, and other connections can use the buffer.
                    self.client.input.settle();
                }
                return Poll::Ready(Ok(true));
            }
            if self.client.body_bytes > before {
                self.waiting_until = None;
                // The token was checked with the head, shortly before the first piece.
                if before > 0 {
                    self.check_token(turn::now())?;
                }
                return Poll::Ready(Ok(false));
            }
            if std::mem::take(&mut self.client.expects_continue) {
                self.client.out().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            if !self.client.is_flushed() && matches!(self.client.poll_out(cx), Poll::Ready(Err(_))) {
                return Poll::Ready(Err(BodyFault::BrokenOff));
            }
            match self.client.poll_read(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(Err(BodyFault::BrokenOff)),
                Poll::Pending => {
                    self.client.input.settle();
                    return self.poll_waiting(cx);
                }
            }
        }
    }

    fn write_end(&self, out: &mut Vec<u8>) {
        write_last_chunk(out);
        for field in self.client.body.trailers().fields() {
            if passes_as_trailer(field.name, self.rules) {
                field.write(out);
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Waits for the client until the read timeout or the end of the token.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyFault>> {
        let until = *self.waiting_until.get_or_insert_with(|| turn::now() + self.limits.timeout);
        loop {
            let next = self.next_check.map_or(until, |check| check.min(until));
            let next = if self.lease.digest().is_none() || self.next_check.is_some() {
                next
            } else {
                let check = turn::now() + TOKEN_CHECK;
                self.next_check = Some(check);
                check.min(until)
            };
            let now = ready!(self.client.alarm.poll(next, cx));
            self.check_token(now)?;
            if now >= until {
                return Poll::Ready(Err(BodyFault::TooSlow));
            }
        }
    }

    fn check_token(&mut self, now: Instant) -> Result<(), BodyFault> {
        match self.next_check {
            None if self.lease.digest().is_some() => self.next_check = Some(now + TOKEN_CHECK),
            Some(check) if now >= check => {
                let next = self.token_check.check(self.gate, self.lease).ok_or(BodyFault::TokenEnded)?;
                self.next_check = Some(now + next);
            }
            _ => {}
        }
        Ok(())
    }
}

impl<I: Socket> Downstream for Upload<'_, I> {
    fn poll_body(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Result<bool, BodyFault>> {
        let chunked = self.chunked;
        self.poll_piece(out, chunked, cx)
    }

    fn body_bytes(&self) -> u64 {
        self.client.body_bytes
    }

    fn interim(&mut self, head: ResponseHead<'_>) {
        // HTTP/1.0 has no interim responses (RFC 9110 §15.2).
        if self.client.version == Version::HTTP_10 {
            return;
        }
        let out = self.client.out();
        super::respond::write_status_line(out, head.status(), head.reason());
        let mut runs = Runs::new(head.bytes(), out);
        let returning = Returning { upgraded: false, length: false, version: head.version() };
        for_client(head.fields(), head.connection(), returning, |_| false, |_| None, &mut runs);
        runs.finish().extend_from_slice(b"\r\n");
    }

    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.poll_disconnect(cx)
    }

    fn alarm(&mut self) -> &mut Alarm {
        self.client.alarm()
    }
}
