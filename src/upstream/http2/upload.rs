//! A request's body on its way to an HTTP/2 server, and what is kept of it in case it has to be sent again.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body;
use tokio::task::AbortHandle;

/// The body of a request, as it is sent. Its error is the sender's to report.
pub(crate) trait RequestBody: Body<Data = Bytes> + Unpin {}

impl<B: Body<Data = Bytes> + Unpin> RequestBody for B {}

/// What is kept of a body until the server answers. A request whose body is longer is not sent again once more has gone.
const MOST_KEPT: usize = 64 * 1024;

/// The client's body broke off: what it was is in the body's outcome.
#[derive(Debug)]
pub(crate) struct Broken;

#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// A request's body.
pub(crate) struct Upload<B> {
    body: B,
    /// Whether the body said that it is over.
    ended: bool,
    /// All that was taken from the body; none once that is too much, or of no use any more.
    kept: Option<Vec<Piece>>,
    kept_bytes: usize,
    /// How much of it this stream has been given.
    given: usize,
    /// Waits for the server to make room.
    chunk: Bytes,
    done: bool,
}

impl<B: RequestBody> Upload<B> {
    pub(crate) fn new(body: B) -> Self {
        let ended = body.is_end_stream();
        let kept = Some(Vec::new());
        Self { body, ended, kept, kept_bytes: 0, given: 0, chunk: Bytes::new(), done: ended }
    }

    /// Whether there is no body at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.ended && self.kept.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether it is sent whole, or is no longer wanted.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether it is the client that is waited for: all that it has sent so far is on its way.
    pub(crate) fn waits_for_client(&self) -> bool {
        !self.done && self.chunk.is_empty()
    }

    /// Begins anew on another stream; false if part of it is gone.
    pub(crate) fn rewind(&mut self) -> bool {
        self.given = 0;
        self.chunk = Bytes::new();
        self.done = self.is_empty();
        self.kept.is_some()
    }

    /// Sends what there is and the server takes. Ready at the end, or once the server wants no more.
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
                    // An error is the stream's: it is over, and the answer says why.
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
        let last = self.chunk.is_empty() && self.nothing_left();
        self.done = stream.send_data(part, last).is_err() || last;
        Poll::Ready(())
    }

    fn nothing_left(&self) -> bool {
        (self.ended || self.body.is_end_stream())
            && self.kept.as_ref().is_none_or(|kept| self.given >= kept.len())
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broken>>> {
        if let Some(piece) = self.kept.as_ref().and_then(|kept| kept.get(self.given)) {
            self.given += 1;
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
            // Their own bound is the one on heads.
            Piece::Trailers(_) => 0,
        };
        if self.kept_bytes > MOST_KEPT || kept.len() >= MOST_KEPT / 64 {
            self.kept = None;
        } else {
            kept.push(piece.clone());
            self.given = kept.len();
        }
    }

    /// Goes on by itself, beside the answer that has begun.
    pub(crate) fn spawn(mut self, mut stream: SendStream<Bytes>) -> Option<UploadTask>
    where
        B: Send + 'static,
    {
        if self.done {
            return None;
        }
        // What this stream was not given of it yet is still to be sent.
        if self.kept.as_ref().is_some_and(|kept| self.given >= kept.len()) {
            self.kept = None;
        }
        let task = tokio::spawn(async move {
            let _ = poll_fn(|cx| self.poll(&mut stream, cx)).await;
        });
        Some(UploadTask(task.abort_handle()))
    }
}

/// A body that is sent while its answer comes back. It does not outlive the answer: the server has said all it will.
pub(crate) struct UploadTask(AbortHandle);

impl Drop for UploadTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
