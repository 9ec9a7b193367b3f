//! Sends the response of an HTTP/2 stream.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{CONTENT_LENGTH, DATE};
use http::{Response, StatusCode};
use http_body::{Body, Frame};
use tokio::time::Instant;

use crate::clock::turn;
use crate::proxy::date::date_value;
use crate::upstream::alarm::Alarm;

/// The most room that a stream asks for at once.
const MOST_ROOM: usize = 16 * 1024;

/// The response of an HTTP/2 stream, until it has been sent.
pub(crate) struct Reply {
    /// `None` once the head of the response has been sent.
    respond: Mutex<Option<SendResponse<Bytes>>>,
    to_head: bool,
    write_timeout: Duration,
    /// Counts the streams of the connection that the client has reset.
    resets: Arc<AtomicU32>,
}

impl Reply {
    pub(super) fn new(
        respond: SendResponse<Bytes>,
        to_head: bool,
        write_timeout: Duration,
        resets: Arc<AtomicU32>,
    ) -> Self {
        Self { respond: Mutex::new(Some(respond)), to_head, write_timeout, resets }
    }

    /// Counts the stream if it was reset, and not if the whole connection has failed.
    fn count(&self, reset: Poll<Result<Reason, h2::Error>>) {
        if matches!(reset, Poll::Ready(Ok(_))) {
            self.resets.fetch_add(1, Relaxed);
        }
    }

    fn respond(&self) -> MutexGuard<'_, Option<SendResponse<Bytes>>> {
        self.respond.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` until it is done, or until the client resets the stream before its response has begun.
    pub(crate) async fn unless_reset<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            match &mut *self.respond() {
                // It is also ready once the connection has failed.
                Some(respond) => {
                    let reset = ready!(respond.poll_reset(cx));
                    self.count(Poll::Ready(reset));
                    Poll::Ready(None)
                }
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Sends an interim response (RFC 9113 §8.1), unless the response itself has begun.
    pub(crate) fn interim(&self, response: Response<()>) {
        if let Some(respond) = &mut *self.respond() {
            // An error means that the stream has ended, which the response will find out too.
            let _ = respond.send_informational(response);
        }
    }

    /// Sends the response, and shows `seen` every poll of its body. The last poll that it is shown is the end
    /// of the body or an error, unless the client went away first.
    pub(crate) async fn send<B>(
        &self,
        response: Response<B>,
        mut seen: impl FnMut(&Poll<Option<Result<Frame<Bytes>, B::Error>>>),
    ) where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let Some(mut respond) = self.respond().take() else { return };
        let (head, body) = response.into_parts();
        let mut head = Response::from_parts(head, ());
        let bodiless = body.is_end_stream();
        let length = if bodiless { None } else { body.size_hint().exact() };
        let headers = head.headers_mut();
        if !headers.contains_key(DATE) {
            headers.insert(DATE, date_value());
        }
        if let Some(length) = length
            && !headers.contains_key(CONTENT_LENGTH)
        {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        let ends = bodiless || self.to_head || head.status() == StatusCode::NO_CONTENT;
        let stream = match respond.send_response(head, ends) {
            Ok(stream) => stream,
            Err(error) => {
                // The stream has ended, or the head has a header that HTTP/2 does not have.
                log::debug!("a response was not sent: {error}");
                self.count(respond.poll_reset(&mut Context::from_waker(Waker::noop())));
                return respond.send_reset(Reason::INTERNAL_ERROR);
            }
        };
        if ends {
            return seen(&Poll::Ready(None));
        }
        let mut transfer = Transfer::new(stream, self.write_timeout);
        let mut body = pin!(body);
        poll_fn(|cx| {
            loop {
                if !ready!(transfer.poll_piece(cx)) {
                    if transfer.is_complete {
                        seen(&Poll::Ready(None));
                    } else if !transfer.timed_out {
                        self.count(transfer.stream.poll_reset(cx));
                    }
                    return Poll::Ready(());
                }
                let polled = body.as_mut().poll_frame(cx);
                seen(&polled);
                match polled {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => transfer.piece = Some((data, body.is_end_stream())),
                        Err(frame) => {
                            let trailers = frame.into_trailers().unwrap_or_default();
                            if transfer.stream.send_trailers(trailers).is_ok() {
                                seen(&Poll::Ready(None));
                            }
                            return Poll::Ready(());
                        }
                    },
                    Poll::Ready(None) => {
                        let _ = transfer.stream.send_data(Bytes::new(), true);
                        return Poll::Ready(());
                    }
                    Poll::Ready(Some(Err(error))) => {
                        transfer.stream.send_reset(reason_of(&*error.into()));
                        return Poll::Ready(());
                    }
                    // The task is also woken when the client resets the stream.
                    Poll::Pending => {
                        let reset = ready!(transfer.stream.poll_reset(cx));
                        self.count(Poll::Ready(reset));
                        return Poll::Ready(());
                    }
                }
            }
        })
        .await;
    }
}

/// The transfer of a body to the connection. Dropping it before the end of the body resets the stream.
struct Transfer {
    stream: SendStream<Bytes>,
    /// A piece that is sent next, and whether it is the last one.
    piece: Option<(Bytes, bool)>,
    is_complete: bool,
    /// Whether the stream was reset here, because the client does not read.
    timed_out: bool,
    write_timeout: Duration,
    /// When the stream is reset because the client does not read.
    blocked_until: Option<Instant>,
    alarm: Alarm,
}

impl Transfer {
    fn new(stream: SendStream<Bytes>, write_timeout: Duration) -> Self {
        Self {
            stream,
            piece: None,
            is_complete: false,
            timed_out: false,
            write_timeout,
            blocked_until: None,
            alarm: Alarm::default(),
        }
    }

    /// Sends the piece, if there is one, as far as the client has room for it. Returns whether more may
    /// follow.
    ///
    /// The connection never gets more than the client has room for. It would wait there without a timeout.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while let Some((data, last)) = &self.piece {
            let (len, last) = (data.len(), *last);
            // The end of the stream needs no room.
            let room = if len == 0 { 0 } else { ready!(self.poll_room(len, cx)) };
            if len > 0 && room == 0 {
                return Poll::Ready(false);
            }
            let Some((mut data, _)) = self.piece.take() else { break };
            let part = data.split_to(len.min(room));
            let ends = last && data.is_empty();
            if !data.is_empty() {
                self.piece = Some((data, last));
            }
            let sent = self.stream.send_data(part, ends).is_ok();
            self.is_complete = sent && ends;
            if ends || !sent {
                return Poll::Ready(false);
            }
        }
        Poll::Ready(true)
    }

    /// Waits until the client has room for some of the next `len` bytes, and returns for how many. Returns 0
    /// if the stream has ended, or if the client accepts nothing for the write timeout.
    fn poll_room(&mut self, len: usize, cx: &mut Context<'_>) -> Poll<usize> {
        // All available capacity is used at once, so this stream holds none that others need while it waits.
        self.stream.reserve_capacity(len.min(MOST_ROOM));
        loop {
            let room = self.stream.capacity();
            if room > 0 {
                self.blocked_until = None;
                return Poll::Ready(room);
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(0),
                Poll::Pending => {
                    let timeout = self.write_timeout;
                    let until = *self.blocked_until.get_or_insert_with(|| turn::now() + timeout);
                    ready!(self.alarm.poll(until, cx));
                    self.stream.send_reset(Reason::CANCEL);
                    self.timed_out = true;
                    return Poll::Ready(0);
                }
            }
        }
    }
}

/// Returns the reason for which a stream is reset when its body fails: the server's, if the server reset its
/// stream.
fn reason_of(mut error: &(dyn Error + 'static)) -> Reason {
    loop {
        if let Some(reason) = error.downcast_ref().and_then(h2::Error::reason) {
            return reason;
        }
        match error.source() {
            Some(source) => error = source,
            None => return Reason::INTERNAL_ERROR,
        }
    }
}
