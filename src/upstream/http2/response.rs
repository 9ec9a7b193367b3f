//! The body of an answer from an HTTP/2 server.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

use super::connection::StreamGuard;
use super::upload::UploadTask;

/// What comes back on a stream. Dropped before its end, it resets the stream; the connection goes on.
pub(crate) struct Http2Body {
    stream: RecvStream,
    data_over: bool,
    /// Bytes still to come, where the server said how many.
    left: Option<u64>,
    /// What the exchange holds until its end.
    held: Option<(StreamGuard, Option<UploadTask>)>,
}

impl Http2Body {
    pub(crate) fn new(
        stream: RecvStream,
        headers: &HeaderMap,
        place: StreamGuard,
        upload: Option<UploadTask>,
    ) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Self { stream, data_over: false, left: length, held: Some((place, upload)) }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_over {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // What it makes room for is counted by the client's own window from here on.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // RFC 9113 §8.1: the answer is whole, and no more of the request is wanted.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => {
                    return Poll::Ready(None);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_over = true,
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
        match self.left {
            _ if self.stream.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }

    /// Gives back what the exchange held.
    pub(crate) fn finish(&mut self) {
        self.held = None;
    }
}
