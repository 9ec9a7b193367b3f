//! Where the body of a response comes from: a connection of either protocol.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::BoxError;
use super::request::RequestBody;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::pool;
use crate::upstream::http1::request::RequestWriter;
use crate::upstream::http1::response as http1;
use crate::upstream::http2::response as http2;

/// An answer whose head has come, and what is needed for the rest of it.
pub(crate) enum Source {
    Http1 {
        body: http1::AnswerBody,
        /// Goes back to the pool when the answer has been read to its end; closed with it otherwise.
        connection: Option<Connection>,
        /// What is left of a request that is answered before it has been sent. Boxed: seldom.
        sending: Option<Box<RequestWriter<RequestBody>>>,
    },
    Http2(http2::Http2Body),
}

impl Source {
    pub(crate) fn poll_frame(
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
                connection.poll_body(body, cx).map_err(Into::into)
            }
            Self::Http2(answer) => answer.poll_frame(cx).map_err(Into::into),
        }
    }

    /// Whether the request has been going on since this was asked last, so that the server is not late yet.
    pub(crate) fn request_goes_on(&mut self) -> bool {
        match self {
            Self::Http1 { sending, .. } => sending.as_mut().is_some_and(|left| left.goes_on()),
            Self::Http2(_) => false,
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1 { body, .. } => body.is_ended(),
            Self::Http2(answer) => answer.is_end_stream(),
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1 { body, .. } => body.size_hint(),
            Self::Http2(answer) => answer.size_hint(),
        }
    }

    /// The timer of the exchange; none once it is over.
    pub(crate) fn alarm(&mut self) -> Option<Pin<&mut Sleep>> {
        match self {
            Self::Http1 { connection, .. } => {
                connection.as_mut().map(|connection| connection.deadline.as_mut())
            }
            Self::Http2(answer) => Some(answer.alarm()),
        }
    }

    /// The answer was read to its end.
    pub(crate) fn finish(&mut self) {
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
    pub(crate) fn fail(&mut self) {
        if let Self::Http1 { connection, .. } = self {
            *connection = None;
        }
    }
}
