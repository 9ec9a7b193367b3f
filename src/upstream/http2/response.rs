//! The body of a response from an HTTP/2 server.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

use super::connection::StreamGuard;
use super::upload::UploadTask;

/// The body of a response. Dropping it before its end resets the stream and keeps the connection.
pub(crate) struct Http2Body {
    stream: RecvStream,
    data_ended: bool,
    /// The number of bytes that have not been received yet, if the server sent a `Content-Length`.
    remaining: Option<u64>,
    /// Resources that the exchange holds until the end of the response.
    held: Option<(StreamGuard, Option<UploadTask>)>,
}

impl Http2Body {
    pub(crate) fn new(
        stream: RecvStream,
        headers: &HeaderMap,
        guard: StreamGuard,
        upload: Option<UploadTask>,
    ) -> Self {
        let remaining = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Self { stream, data_ended: false, remaining, held: Some((guard, upload)) }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // From here on, the client's own flow control applies.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.remaining = self.remaining.map(|bytes| bytes.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // RFC 9113 §8.1: the response is complete, and the server does not need the rest of the
                // request.
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

    pub(crate) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.remaining {
            _ if self.stream.is_end_stream() => SizeHint::with_exact(0),
            Some(remaining) => SizeHint::with_exact(remaining),
            None => SizeHint::default(),
        }
    }

    /// Releases the resources that the exchange holds.
    pub(crate) fn finish(&mut self) {
        self.held = None;
    }
}
