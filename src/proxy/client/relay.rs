//! Relays upstream responses to the client.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Response, StatusCode};
use http_body::Body as _;
use tokio::time::Instant;

use super::respond::{BodyFraming, Changes};
use super::{Client, Socket, Upload};
use crate::clock::turn;
use crate::headers::{HeaderSink as _, passes_as_trailer};
use crate::http1::{write_chunk, write_last_chunk};
use crate::proxy::body::BoxError;
use crate::proxy::body::lease::{TOKEN_CHECK, check_in};
use crate::proxy::body::response::ResponseBody;
use crate::proxy::observe::RequestRecord;
use crate::upstream::downstream::{BodyFault, Downstream as _};
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::fault::Fault;
use crate::upstream::http1::writer::RequestWriter;

/// The maximum amount of output that is gathered before a write.
const MAX_GATHERED: usize = 16 * 1024;
/// The size from which a piece of a body is written without a copy.
const LARGE: usize = 4 * 1024;

/// How a response ended.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// The whole response was sent.
    Complete,
    /// The client has disconnected, or does not read.
    ClientGone,
    /// The upstream ended the response early, before any of it was sent. Another response can replace it.
    Unsent(Fault),
    /// The response ended early, after a part of it was sent.
    Truncated(Option<BodyFault>),
}

/// The timeouts of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseTimeouts {
    /// The timeout between two reads.
    pub(crate) read_timeout: Duration,
    /// The deadline for the whole response.
    pub(crate) deadline: Option<Instant>,
}

/// Sends the response that has begun on `connection` to the client, while the rest of the request is sent
/// upstream.
pub(crate) async fn relay<I: Socket>(
    connection: &mut Connection,
    writer: &mut RequestWriter,
    upload: &mut Upload<'_, I>,
    changes: &Changes<'_>,
    timeouts: ResponseTimeouts,
    record: &mut RequestRecord,
) -> Relayed {
    let before = upload.client.out.len();
    let framing = match connection.head() {
        Some(head) => {
            record.begin_response(head.status());
            upload.client.write_head(head, connection.facts(), changes, writer.head())
        }
        None => return Relayed::Truncated(None),
    };
    connection.consume_head();
    let mut relay = Relay {
        framing,
        timeouts,
        head: (before, upload.client.out.len()),
        unsent: true,
        waiting_since: None,
        sent: 0,
        next_check: None,
        over: false,
        broken: None,
    };
    poll_fn(|cx| relay.poll(connection, writer, upload, record, cx)).await
}

struct Relay {
    framing: BodyFraming,
    timeouts: ResponseTimeouts,
    /// The start and end of the head in the client's output.
    head: (usize, usize),
    /// Whether no byte of the response has been written to the socket.
    unsent: bool,
    /// When the wait for the upstream began.
    waiting_since: Option<Instant>,
    /// The bytes of the request body that had arrived at the last progress check.
    sent: u64,
    next_check: Option<Instant>,
    /// Whether the end of the body has been appended to the client's output.
    over: bool,
    /// Why the body ended early.
    broken: Option<BodyFault>,
}

impl Relay {
    fn poll<I: Socket>(
        &mut self,
        connection: &mut Connection,
        writer: &mut RequestWriter,
        upload: &mut Upload<'_, I>,
        record: &mut RequestRecord,
        cx: &mut Context<'_>,
    ) -> Poll<Relayed> {
        if !writer.is_done() {
            let _ = connection.poll_send(writer, upload, cx);
        }
        loop {
            // The head and all data that is available now are sent in one write.
            let mut waits = false;
            while !self.over && upload.client.out.len() < MAX_GATHERED {
                match connection.poll_data(cx) {
                    Poll::Ready(Ok(data)) if !data.is_empty() => {
                        self.waiting_since = None;
                        if data.len() >= LARGE && self.framing != BodyFraming::Chunked {
                            break;
                        }
                        let size = data.len();
                        record.record_data(size);
                        if self.framing == BodyFraming::Chunked {
                            write_chunk(upload.client.out(), data);
                        } else {
                            upload.client.out().extend_from_slice(data);
                        }
                        connection.use_data(size);
                        if connection.is_ended() {
                            self.end(connection, upload.client);
                        }
                    }
                    Poll::Ready(Ok(_)) => self.end(connection, upload.client),
                    Poll::Ready(Err(fault)) => {
                        if self.unsent && upload.client.out.len() == self.head.1 {
                            upload.client.out.truncate(self.head.0);
                            return Poll::Ready(Relayed::Unsent(fault));
                        }
                        log::debug!("a response ended early: {fault}");
                        self.abort(upload.client, None);
                    }
                    Poll::Pending => {
                        waits = true;
                        break;
                    }
                }
            }
            if let Err(fault) = self.check_token(upload, false) {
                self.abort(upload.client, Some(fault));
            }
            match upload.client.poll_out(cx) {
                Poll::Ready(Ok(())) => self.unsent = false,
                Poll::Ready(Err(_)) => return Poll::Ready(Relayed::ClientGone),
                Poll::Pending => {
                    self.unsent &= upload.client.written <= self.head.0;
                    connection.settle();
                    record.record_wait();
                    return self.poll_blocked(upload, cx);
                }
            }
            if self.over {
                return Poll::Ready(match self.broken {
                    None if self.framing == BodyFraming::Declared || connection.is_ended() => {
                        Relayed::Complete
                    }
                    fault => Relayed::Truncated(fault),
                });
            }
            let data = connection.data();
            if !data.is_empty() {
                match upload.client.poll_write(data, cx) {
                    Poll::Ready(Ok(count)) => {
                        record.record_data(count);
                        connection.use_data(count);
                        if connection.is_ended() && connection.data().is_empty() {
                            self.end(connection, upload.client);
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Relayed::ClientGone),
                    Poll::Pending => {
                        connection.settle();
                        record.record_wait();
                        return self.poll_blocked(upload, cx);
                    }
                }
                continue;
            }
            if waits {
                record.record_wait();
                match self.poll_waiting(writer, upload, cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(Relayed::ClientGone),
                    Poll::Ready(Some(fault)) => self.abort(upload.client, Some(fault)),
                }
            }
        }
    }

    /// Writes the end of the body.
    fn end<I>(&mut self, connection: &Connection, client: &mut Client<I>) {
        if !std::mem::replace(&mut self.over, true) && self.framing == BodyFraming::Chunked {
            let out = client.out();
            write_last_chunk(out);
            for field in connection.trailers().fields() {
                if passes_as_trailer(field.name, None) {
                    field.write(out);
                }
            }
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Ends the response early. The end of the body is not written, so that the client notices.
    fn abort<I>(&mut self, client: &mut Client<I>, fault: Option<BodyFault>) {
        if !std::mem::replace(&mut self.over, true) {
            self.broken = Some(fault.unwrap_or(BodyFault::BrokenOff));
            client.close();
        }
    }

    /// Checks the deadline of the response, and the token if a check is due.
    fn check_token<I: Socket>(&mut self, upload: &mut Upload<'_, I>, waits: bool) -> Result<(), BodyFault> {
        if self.timeouts.deadline.is_none() && upload.lease.digest().is_none() || self.over {
            return Ok(());
        }
        // A response that is available at once is sent without reading the clock.
        if self.next_check.is_none() && !waits && self.unsent {
            return Ok(());
        }
        let now = turn::now();
        if self.timeouts.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(BodyFault::TooSlow);
        }
        if upload.lease.digest().is_none() {
            return Ok(());
        }
        match self.next_check {
            None => self.next_check = Some(now + check_in(upload.gate, upload.lease).min(TOKEN_CHECK)),
            Some(check) if now >= check => {
                let next =
                    upload.token_check.check(upload.gate, upload.lease).ok_or(BodyFault::TokenEnded)?;
                self.next_check = Some(now + next);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Waits for the upstream, until the read timeout or the end of the token. Completes with `None` if the
    /// client disconnects.
    fn poll_waiting<I: Socket>(
        &mut self,
        writer: &RequestWriter,
        upload: &mut Upload<'_, I>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<BodyFault>> {
        if upload.poll_client(cx).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            if let Err(fault) = self.check_token(upload, true) {
                return Poll::Ready(Some(fault));
            }
            let since = *self.waiting_since.get_or_insert_with(turn::now);
            let silent = since + self.timeouts.read_timeout;
            let next = self.next_check.map_or(silent, |check| check.min(silent));
            let next = self.timeouts.deadline.map_or(next, |deadline| deadline.min(next));
            let Poll::Ready(now) = upload.alarm().poll(next, cx) else { return Poll::Pending };
            if now >= silent {
                // The server is not late while the request is still being sent.
                let sent = upload.body_bytes();
                let moved = std::mem::replace(&mut self.sent, sent) != sent;
                if !moved && !writer.waits_for_client() {
                    return Poll::Ready(Some(BodyFault::TooSlow));
                }
                self.waiting_since = Some(now);
            }
        }
    }

    /// Waits for a client that does not read, until the token ends. [`Client`] enforces the write timeout.
    fn poll_blocked<I: Socket>(&mut self, upload: &mut Upload<'_, I>, cx: &mut Context<'_>) -> Poll<Relayed> {
        loop {
            if self.check_token(upload, true) == Err(BodyFault::TokenEnded) {
                return Poll::Ready(Relayed::Truncated(Some(BodyFault::TokenEnded)));
            }
            let Some(check) = self.next_check else { return Poll::Pending };
            let Poll::Ready(_) = upload.alarm().poll(check, cx) else { return Poll::Pending };
        }
    }
}

impl<I: Socket> Client<I> {
    /// Sends the response of an HTTP/2 server, whose body arrives in frames. `pump` sends the rest of the
    /// request upstream.
    pub(crate) async fn send(
        &mut self,
        response: Response<ResponseBody<'_>>,
        mut pump: impl FnMut(&mut Self, &mut Context<'_>),
        record: &mut RequestRecord,
    ) -> Relayed {
        let (mut head, mut body) = response.into_parts();
        record.begin_response(head.status);
        let exact = body.size_hint().exact();
        let bodiless = self.is_head() || body.is_end_stream();
        let may_have_body = !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if let Some(exact) = exact
            && may_have_body
            && !self.is_head()
        {
            // HTTP/2 may omit the length, but HTTP/1 needs it.
            head.headers.entry(CONTENT_LENGTH).or_insert(exact.into());
        }
        let framing = if bodiless || head.headers.contains_key(CONTENT_LENGTH) {
            BodyFraming::Declared
        } else {
            self.unknown_length_framing()
        };
        self.write_map(head.status, &head.headers, framing);
        let mut over = bodiless;
        if bodiless {
            drop(std::mem::replace(&mut body, ResponseBody::from(http_body_util::Full::default())));
        }
        poll_fn(|cx| {
            loop {
                pump(self, cx);
                let mut waits = false;
                while !over && self.out.len() < MAX_GATHERED {
                    match Pin::new(&mut body).poll_frame(cx) {
                        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                            Ok(data) => {
                                record.record_data(data.len());
                                if framing == BodyFraming::Chunked {
                                    write_chunk(self.out(), &data);
                                } else {
                                    self.out().extend_from_slice(&data);
                                }
                            }
                            Err(frame) => {
                                over = true;
                                if framing == BodyFraming::Chunked {
                                    let out = self.out();
                                    write_last_chunk(out);
                                    for (name, value) in &frame.into_trailers().unwrap_or_default() {
                                        out.add(name, value.as_bytes());
                                    }
                                    out.extend_from_slice(b"\r\n");
                                }
                            }
                        },
                        Poll::Ready(None) => {
                            over = true;
                            if framing == BodyFraming::Chunked {
                                let out = self.out();
                                write_last_chunk(out);
                                out.extend_from_slice(b"\r\n");
                            }
                        }
                        Poll::Ready(Some(Err(error))) => {
                            self.close();
                            return Poll::Ready(Relayed::Truncated(fault_of(&error)));
                        }
                        Poll::Pending => {
                            waits = true;
                            break;
                        }
                    }
                }
                match self.poll_out(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Relayed::ClientGone),
                    Poll::Pending => return Poll::Pending,
                }
                if over {
                    return Poll::Ready(Relayed::Complete);
                }
                if waits {
                    record.record_wait();
                    if self.poll_disconnect(cx).is_ready() {
                        return Poll::Ready(Relayed::ClientGone);
                    }
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

fn fault_of(error: &BoxError) -> Option<BodyFault> {
    error.downcast_ref().copied()
}
