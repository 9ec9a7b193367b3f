//! Reads from and writes to the client's socket, with the timeouts of an inactive client.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::{Client, HeadEnd, SPANS, Socket};
use crate::clock::turn;
use crate::http1::{HeadLimits, RequestSpans, buffers};

impl<I: Socket> Client<I> {
    /// Reads the head of the next request.
    pub(crate) fn poll_head(
        &mut self,
        limits: HeadLimits,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HeadEnd>> {
        let mut spans = SPANS.with(Cell::take).unwrap_or_default();
        let head = self.poll_spans(&mut spans, limits, cx);
        match head {
            Poll::Ready(Ok(())) => {
                self.spans = Some(spans);
                self.scanned = 0;
            }
            _ => {
                SPANS.with(|spare| spare.set(Some(spans)));
                self.input.settle();
            }
        }
        head
    }

    fn poll_spans(
        &mut self,
        spans: &mut RequestSpans,
        limits: HeadLimits,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HeadEnd>> {
        loop {
            let bytes = self.input.bytes();
            // An incomplete head becomes complete or invalid only with another line end.
            let new = bytes.get(self.scanned..).unwrap_or_default();
            if self.scanned == 0 && !new.is_empty()
                || bytes.len() >= limits.max_size
                || memchr::memchr(b'\n', new).is_some()
            {
                match spans.parse(bytes, limits) {
                    Ok(Some(_)) => return Poll::Ready(Ok(())),
                    Ok(None) => {}
                    Err(fault) => return Poll::Ready(Err(HeadEnd::Fault(fault))),
                }
            }
            self.scanned = bytes.len();
            if std::mem::take(&mut self.poll_before_read) && !self.end_of_input {
                ready!(self.io.poll_readable(cx));
            }
            match ready!(self.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Err(HeadEnd::Closed)),
            }
        }
    }

    /// Reads more input. Completes with 0 at the end of the input.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.end_of_input {
            return Poll::Ready(Ok(0));
        }
        let mut room = ReadBuf::new(self.input.room());
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.input.fill(read);
        if read == 0 {
            self.end_of_input = true;
            self.silent_since = Some(turn::now());
        }
        Poll::Ready(Ok(read))
    }

    /// Writes the pending output. Fails with [`TimedOut`](io::ErrorKind::TimedOut) if the client does not
    /// read it in time.
    pub(crate) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let rest = self.out.get(self.written..).unwrap_or_default();
            let written = if rest.is_empty() {
                match Pin::new(&mut self.io).poll_flush(cx) {
                    Poll::Ready(Ok(())) => {
                        if std::mem::take(&mut self.flushing) {
                            self.on_progress();
                        }
                        self.written = 0;
                        buffers::give_back(std::mem::take(&mut self.out));
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        self.flushing = true;
                        Poll::Pending
                    }
                }
            } else {
                Pin::new(&mut self.io).poll_write(cx, rest)
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.on_progress();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_blocked(cx),
            }
        }
    }

    /// Writes `data` without copying it. All earlier output must have been written.
    pub(super) fn poll_write(&mut self, data: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(cx, data) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(written) => {
                self.on_progress();
                Poll::Ready(written)
            }
            Poll::Pending => self.poll_blocked(cx).map_ok(|()| 0),
        }
    }

    /// Waits for a client that does not read, until the write timeout.
    #[cold]
    fn poll_blocked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let until = *self.blocked_until.get_or_insert_with(|| turn::now() + self.timeouts.write);
        let _ = ready!(self.alarm.poll(until, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Restarts the timeouts after the client has read some output.
    fn on_progress(&mut self) {
        self.blocked_until = None;
        if self.silent_since.is_some() {
            self.silent_since = Some(turn::now());
        }
    }

    /// Completes if the client disconnects while the gateway waits for something else. Input that the client
    /// sends ahead is kept, up to one read.
    ///
    /// A client that has closed its sending side may still read (RFC 9112 §9.6), or it may have disconnected;
    /// only a write would show which. It is served until it has been sent nothing for the half-closed
    /// timeout.
    pub(super) fn poll_disconnect(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_flushed() && matches!(self.poll_out(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        if self.body_ended
            && self.input.is_empty()
            && !self.end_of_input
            && self.io.poll_readable(cx).is_ready()
        {
            if let Poll::Ready(Err(_)) = self.poll_read(cx) {
                return Poll::Ready(());
            }
            self.input.settle();
        }
        match self.silent_since {
            None => Poll::Pending,
            Some(since) => self.alarm.poll(since + self.timeouts.half_closed, cx).map(|_| ()),
        }
    }

    /// Completes once the client has closed its sending side or disconnected, while its request is queued.
    pub(crate) fn poll_hangup(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.body_ended || !self.input.is_empty() {
            return Poll::Pending;
        }
        match self.poll_read(cx) {
            Poll::Ready(Ok(1..)) => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => {
                self.input.settle();
                Poll::Pending
            }
        }
    }

    /// Writes all pending output.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_out(cx)).await
    }
}
