//! Sends a request body to an HTTP/2 server, and keeps its beginning for a possible retry.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body;
use tokio::task::AbortHandle;

/// The body of a request that is being sent. The sender reports its errors.
pub(crate) trait RequestBody: Body<Data = Bytes> + Unpin {}

impl<B: Body<Data = Bytes> + Unpin> RequestBody for B {}

/// The bytes of a body kept until the server responds. Once more was sent, the request cannot be retried.
const MAX_KEPT: usize = 64 * 1024;

/// The client's body failed. The outcome of the body has the reason.
#[derive(Debug)]
pub(crate) struct Broken;

#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// A request body that is being sent.
pub(crate) struct Upload<B> {
    body: B,
    /// Whether the body has ended.
    ended: bool,
    /// Everything read from the body so far; `None` once that is too much or no longer needed.
    kept: Option<Vec<Piece>>,
    kept_bytes: usize,
    /// The number of kept pieces that were sent on this stream.
    sent: usize,
    /// Data that waits for flow-control capacity.
    chunk: Bytes,
    done: bool,
}

impl<B: RequestBody> Upload<B> {
    pub(crate) fn new(body: B) -> Self {
        let ended = body.is_end_stream();
        let kept = Some(Vec::new());
        Self { body, ended, kept, kept_bytes: 0, sent: 0, chunk: Bytes::new(), done: ended }
    }

    /// Returns whether the request has no body.
    pub(crate) fn is_empty(&self) -> bool {
        self.ended && self.kept.as_ref().is_some_and(Vec::is_empty)
    }

    /// Returns whether the body was sent completely, or the server does not want the rest.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Returns whether the upload waits for the client: everything received so far was sent.
    pub(crate) fn waits_for_client(&self) -> bool {
        !self.done && self.chunk.is_empty()
    }

    /// Restarts the body for another stream. Returns false if its beginning is no longer kept.
    pub(crate) fn rewind(&mut self) -> bool {
        self.sent = 0;
        self.chunk = Bytes::new();
        self.done = self.is_empty();
        self.kept.is_some()
    }

    /// Sends what is available, as far as flow control allows. Completes at the end of the body, or once the
    /// server resets the stream.
    pub(crate) fn poll(
        &mut self,
        stream: &mut SendStream<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        while !self.done {
            if stream.poll_reset(cx).is_ready() {
                self.done = true;
                break;
            }
            if !self.chunk.is_empty() {
                ready!(self.poll_send(stream, cx));
                continue;
            }
            match ready!(self.poll_piece(cx)) {
                Some(Ok(Piece::Data(data))) => self.chunk = data,
                Some(Ok(Piece::Trailers(trailers))) => {
                    // An error means that the stream has ended: the response has the reason.
                    let _ = stream.send_trailers(trailers);
                    self.done = true;
                }
                Some(Err(broken)) => {
                    stream.send_reset(Reason::CANCEL);
                    self.done = true;
                    return Poll::Ready(Err(broken));
                }
                None => {
                    let _ = stream.send_data(Bytes::new(), true);
                    self.done = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<()> {
        stream.reserve_capacity(self.chunk.len());
        while stream.capacity() == 0 {
            if !matches!(ready!(stream.poll_capacity(cx)), Some(Ok(_))) {
                self.done = true;
                return Poll::Ready(());
            }
        }
        let part = self.chunk.split_to(stream.capacity().min(self.chunk.len()));
        let last = self.chunk.is_empty() && self.is_exhausted();
        self.done = stream.send_data(part, last).is_err() || last;
        Poll::Ready(())
    }

    fn is_exhausted(&self) -> bool {
        (self.ended || self.body.is_end_stream())
            && self.kept.as_ref().is_none_or(|kept| self.sent >= kept.len())
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broken>>> {
        if let Some(piece) = self.kept.as_ref().and_then(|kept| kept.get(self.sent)) {
            self.sent += 1;
            return Poll::Ready(Some(Ok(piece.clone())));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Poll::Ready(Some(Err(Broken))),
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
        };
        let piece = match frame.into_data() {
            Ok(data) => Piece::Data(data),
            Err(frame) => Piece::Trailers(frame.into_trailers().unwrap_or_default()),
        };
        self.keep(&piece);
        Poll::Ready(Some(Ok(piece)))
    }

    fn keep(&mut self, piece: &Piece) {
        let Some(kept) = &mut self.kept else { return };
        self.kept_bytes += match piece {
            Piece::Data(data) => data.len(),
            // Bounded by the limit on the size of heads.
            Piece::Trailers(_) => 0,
        };
        if self.kept_bytes > MAX_KEPT || kept.len() >= MAX_KEPT / 64 {
            self.kept = None;
        } else {
            kept.push(piece.clone());
            self.sent = kept.len();
        }
    }

    /// Sends the rest in a task while the response is received. Returns `None` if there is nothing left to
    /// send.
    pub(crate) fn spawn(mut self, mut stream: SendStream<Bytes>) -> Option<UploadTask>
    where
        B: Send + 'static,
    {
        if self.done {
            return None;
        }
        // Kept pieces that were not sent on this stream yet are still needed.
        if self.kept.as_ref().is_some_and(|kept| self.sent >= kept.len()) {
            self.kept = None;
        }
        let task = tokio::spawn(async move {
            let _ = poll_fn(|cx| self.poll(&mut stream, cx)).await;
        });
        Some(UploadTask(task.abort_handle()))
    }
}

/// The task that sends a body while the response is received. Dropping it ends the task: once the response is
/// complete, the server does not need the rest.
pub(crate) struct UploadTask(AbortHandle);

impl Drop for UploadTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
