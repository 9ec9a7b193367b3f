//! The body of a message that arrives over HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};

/// The body of a request or a response on an HTTP/2 stream. Dropping it before its end resets the stream and
/// keeps the connection.
pub(crate) struct ReceivedBody {
    stream: RecvStream,
    /// Whether the message has no body. This is asked several times, and the stream would lock its connection
    /// each time.
    is_empty: bool,
    data_ended: bool,
    /// The number of bytes that have not been received yet, if the sender declared a `Content-Length`.
    remaining: Option<u64>,
}

impl ReceivedBody {
    /// Creates the body of the message with these headers.
    pub(crate) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let remaining = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let is_empty = stream.is_end_stream();
        Self { stream, is_empty, data_ended: false, remaining }
    }

    /// Polls the next frame, and allows the sender as many further bytes as the frame has.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // From here on, the flow control of the next connection applies.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.remaining = self.remaining.map(|bytes| bytes.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // RFC 9113 §8.1: the sender needs nothing more of the other direction, and the message is
                // complete.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => {
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_ended = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
            Err(error) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Returns whether the body has been read to its end.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.is_empty || self.stream.is_end_stream()
    }

    /// Returns the length of the rest, as far as it is known.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.remaining {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(remaining) => SizeHint::with_exact(remaining),
            None => SizeHint::default(),
        }
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        Self::poll_frame(self.get_mut(), cx)
    }

    fn is_end_stream(&self) -> bool {
        Self::is_end_stream(self)
    }

    fn size_hint(&self) -> SizeHint {
        Self::size_hint(self)
    }
}
