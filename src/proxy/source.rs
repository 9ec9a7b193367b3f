//! Where the body of an answer comes from.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::{h1, h2, pool};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An answer whose head has come, and what is needed for the rest of it.
pub(super) enum Source {
    Http1 {
        body: h1::AnswerBody,
        /// Goes back to the pool when the answer has been read to its end; closed with it otherwise.
        connection: Option<h1::Connection>,
        /// What is left of a request that is answered before it has been sent. Boxed: seldom.
        sending: Option<Box<h1::Sending>>,
    },
    Http2(h2::AnswerBody),
}

impl Source {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Http1 { body, connection, sending } => {
                let Some(connection) = connection else { return Poll::Ready(None) };
                if let Some(left) = sending
                    && connection.poll_send(left, cx).is_ready()
                {
                    *sending = None;
                }
                body.poll(connection, cx).map_err(Into::into)
            }
            Self::Http2(answer) => answer.poll_frame(cx).map_err(Into::into),
        }
    }

    /// Whether the request has been going on since this was asked last, so that the server is not late yet.
    pub(super) fn request_goes_on(&mut self) -> bool {
        match self {
            Self::Http1 { sending, .. } => sending.as_mut().is_some_and(|left| left.goes_on()),
            Self::Http2(_) => false,
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1 { body, .. } => body.is_ended(),
            Self::Http2(answer) => answer.is_end_stream(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1 { body, .. } => body.size_hint(),
            Self::Http2(answer) => answer.size_hint(),
        }
    }

    /// The timer of the exchange; none once it is over.
    pub(super) fn alarm(&mut self) -> Option<Pin<&mut Sleep>> {
        match self {
            Self::Http1 { connection, .. } => {
                connection.as_mut().map(|connection| connection.deadline.as_mut())
            }
            Self::Http2(answer) => Some(answer.alarm()),
        }
    }

    /// The answer was read to its end.
    pub(super) fn finish(&mut self) {
        match self {
            Self::Http1 { connection, sending, .. } => {
                // A server that has not taken the whole request would take the next for its rest.
                if let Some(connection) = connection.take()
                    && sending.is_none()
                {
                    pool::give_back(connection);
                }
            }
            Self::Http2(answer) => answer.finish(),
        }
    }

    /// The answer broke off.
    pub(super) fn fail(&mut self) {
        if let Self::Http1 { connection, .. } = self {
            *connection = None;
        }
    }
}
