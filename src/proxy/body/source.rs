//! The source of a response body: an upstream connection of either protocol.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::BoxError;
use super::downstream::BodyDownstream;
use crate::upstream::alarm::Alarm;
use crate::upstream::downstream::Downstream as _;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::pool;
use crate::upstream::http1::writer::RequestWriter;
use crate::upstream::http2::response as http2;

/// The rest of a response whose head has been received.
pub(crate) enum Source {
    /// Boxed to keep the other variant small.
    Http1(Box<Http1Source>),
    Http2(http2::Http2Body, Alarm),
}

/// A response from an HTTP/1.1 server.
pub(crate) struct Http1Source {
    /// The connection. It returns to the pool once the response is complete, and is closed otherwise.
    connection: Option<Box<Connection>>,
    /// What is left of the request.
    writer: RequestWriter,
    down: BodyDownstream,
    /// The bytes of the request body that the client had sent at the last progress check.
    sent: u64,
    trailers_given: bool,
}

impl Http1Source {
    pub(crate) fn new(connection: Box<Connection>, writer: RequestWriter, down: BodyDownstream) -> Self {
        Self { connection: Some(connection), writer, down, sent: 0, trailers_given: false }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        if !self.writer.is_done() {
            // The server responded before the whole request was sent: the rest follows here.
            let _ = connection.poll_send(&mut self.writer, &mut self.down, cx);
        }
        let data = ready!(connection.poll_data(cx)).map_err(BoxError::from)?;
        if !data.is_empty() {
            let data = Bytes::copy_from_slice(data);
            connection.use_data(data.len());
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::replace(&mut self.trailers_given, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::new();
        for field in connection.trailers().fields() {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(field.name), HeaderValue::from_bytes(field.value))
            {
                trailers.append(name, value);
            }
        }
        Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers))))
    }
}

impl Source {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Http1(source) => source.poll_frame(cx),
            Self::Http2(answer, _) => answer.poll_frame(cx).map_err(Into::into),
        }
    }

    /// Returns whether the request has made progress since the last call. If so, the server is not late yet.
    pub(crate) fn request_goes_on(&mut self) -> bool {
        match self {
            Self::Http1(source) => {
                let sent = source.down.body_bytes();
                std::mem::replace(&mut source.sent, sent) != sent || source.writer.waits_for_client()
            }
            Self::Http2(..) => false,
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(source) => source.connection.as_ref().is_none_or(|connection| {
                connection.remaining() == Some(0)
                    && connection.data().is_empty()
                    && (source.trailers_given || connection.trailers().fields().next().is_none())
            }),
            Self::Http2(answer, _) => answer.is_end_stream(),
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(source) => match &source.connection {
                None => SizeHint::with_exact(0),
                Some(connection) => connection
                    .remaining()
                    .map(|left| SizeHint::with_exact(left + connection.data().len() as u64))
                    .unwrap_or_default(),
            },
            Self::Http2(answer, _) => answer.size_hint(),
        }
    }

    /// Completes once the deadline has passed.
    pub(crate) fn poll_deadline(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<Instant> {
        match self {
            Self::Http1(source) => source.down.alarm().poll(deadline, cx),
            Self::Http2(_, alarm) => alarm.poll(deadline, cx),
        }
    }

    /// Releases the connection of a response that has been read to its end.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Http1(source) => {
                // A server that has not read the whole request would read the next one as its remainder.
                if let Some(connection) = source.connection.take()
                    && source.writer.is_done()
                {
                    pool::give_back(connection);
                }
            }
            Self::Http2(answer, _) => answer.finish(),
        }
    }

    /// Closes the connection of a response that ended early.
    pub(crate) fn fail(&mut self) {
        if let Self::Http1(source) = self {
            source.connection = None;
        }
    }
}
