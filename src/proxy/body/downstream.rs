//! Adapts the body of an HTTP/2 client's request for an HTTP/1.1 server.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Body as _;

use super::request::{BodyOutcome, RequestBody};
use crate::headers::HeaderSink as _;
use crate::http1::{ResponseHead, write_chunk, write_last_chunk};
use crate::upstream::alarm::Alarm;
use crate::upstream::downstream::{BodyFault, Downstream};

/// A request body that is written as HTTP/1.1.
pub(crate) struct BodyDownstream {
    body: RequestBody,
    outcome: Option<BodyOutcome>,
    chunked: bool,
    /// The bytes of the declared length that have not arrived yet, or `None` if no length was declared.
    owed: Option<u64>,
    alarm: Alarm,
}

impl BodyDownstream {
    /// Creates the adapter. The body is sent chunked, or with its `Content-Length`. `alarm` is the timer of the
    /// task that serves the request.
    pub(crate) fn new(body: RequestBody, outcome: Option<BodyOutcome>, chunked: bool, alarm: Alarm) -> Self {
        let owed = if chunked { None } else { body.size_hint().exact() };
        Self { body, outcome, chunked, owed, alarm }
    }

    /// Returns the timer, once nothing more waits for the body.
    pub(crate) fn into_alarm(self) -> Alarm {
        self.alarm
    }
}

impl Downstream for BodyDownstream {
    fn poll_body(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Result<bool, BodyFault>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => {
                let fault = self.outcome.as_ref().and_then(BodyOutcome::fault);
                return Poll::Ready(Err(fault.unwrap_or(BodyFault::BrokenOff)));
            }
            None => {
                if self.owed.is_some_and(|owed| owed > 0) {
                    return Poll::Ready(Err(BodyFault::BrokenOff));
                }
                if self.chunked {
                    write_last_chunk(out);
                    out.extend_from_slice(b"\r\n");
                }
                return Poll::Ready(Ok(true));
            }
        };
        match frame.into_data() {
            Ok(data) if self.chunked => write_chunk(out, &data),
            Ok(data) => {
                if let Some(owed) = &mut self.owed {
                    *owed = owed.checked_sub(data.len() as u64).ok_or(BodyFault::BrokenOff)?;
                }
                out.extend_from_slice(&data);
            }
            Err(frame) => {
                if self.chunked {
                    write_last_chunk(out);
                    for (name, value) in &frame.into_trailers().unwrap_or_default() {
                        out.add(name, value.as_bytes());
                    }
                    out.extend_from_slice(b"\r\n");
                }
                return Poll::Ready(Ok(true));
            }
        }
        Poll::Ready(Ok(self.owed == Some(0)))
    }

    fn body_bytes(&self) -> u64 {
        self.outcome.as_ref().map_or(0, BodyOutcome::bytes)
    }

    fn interim(&mut self, _: ResponseHead<'_>) {
        // The response has begun: an interim one would be too late.
    }

    fn poll_client(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The task of the request ends when the client resets the stream.
        Poll::Pending
    }

    fn alarm(&mut self) -> &mut Alarm {
        &mut self.alarm
    }
}
