//! The body of a response to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::BoxError;
use super::upstream_body::UpstreamBody;

/// The body of a response.
pub(crate) struct ResponseBody<'a>(Kind<'a>);

enum Kind<'a> {
    /// The complete body of a local response, or of an upstream response without a body.
    Whole(Full<Bytes>),
    /// Boxed to keep every response small.
    Upstream(Box<UpstreamBody<'a>>),
}

impl<'a> From<UpstreamBody<'a>> for ResponseBody<'a> {
    fn from(body: UpstreamBody<'a>) -> Self {
        Self(Kind::Upstream(Box::new(body)))
    }
}

impl From<Full<Bytes>> for ResponseBody<'_> {
    fn from(body: Full<Bytes>) -> Self {
        Self(Kind::Whole(body))
    }
}

impl Body for ResponseBody<'_> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Kind::Upstream(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => body.size_hint(),
            Kind::Upstream(body) => body.size_hint(),
        }
    }
}
