//! The body of a response from an HTTP/2 server.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::connection::StreamGuard;
use super::received::ReceivedBody;
use super::upload::UploadTask;

/// The body of a response. Dropping it before its end resets the stream and keeps the connection.
pub(crate) struct Http2Body {
    received: ReceivedBody,
    /// Resources that the exchange holds until the end of the response.
    held: Option<(StreamGuard, Option<UploadTask>)>,
}

impl Http2Body {
    pub(crate) fn new(received: ReceivedBody, guard: StreamGuard, upload: Option<UploadTask>) -> Self {
        Self { received, held: Some((guard, upload)) }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        self.received.poll_frame(cx)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.received.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.received.size_hint()
    }

    /// Releases the resources that the exchange holds.
    pub(crate) fn finish(&mut self) {
        self.held = None;
    }
}
