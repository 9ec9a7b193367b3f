//! The body of a response to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::BoxError;
use super::upstream_body::UpstreamBody;
use crate::headers::REQUEST_ID;
use crate::proxy::observe::RequestRecord;
use crate::proxy::observer::RequestObserver as _;

/// The body of a response.
pub(crate) struct ResponseBody(Kind);

enum Kind {
    /// The complete body of a local response, or of an upstream response without a body.
    Whole(Full<Bytes>),
    /// Boxed to keep every response small.
    Upstream(Box<UpstreamBody>),
}

/// Attaches the record to a response whose head is sent now. The record follows the body of an upstream response
/// to its end. For a complete body, the record ends here.
#[inline]
pub(crate) fn with_record(
    mut response: Response<ResponseBody>,
    mut record: RequestRecord,
) -> Response<ResponseBody> {
    record.begin_response(response.status());
    if let Some(id) = record.request_id().and_then(|id| HeaderValue::from_bytes(id).ok()) {
        response.headers_mut().insert(&REQUEST_ID.name, id);
    }
    match &mut response.body_mut().0 {
        Kind::Whole(body) => record.end_local_response(body.size_hint().exact().unwrap_or(0)),
        Kind::Upstream(body) => body.record = Some(record),
    }
    response
}

impl From<UpstreamBody> for ResponseBody {
    fn from(body: UpstreamBody) -> Self {
        Self(Kind::Upstream(Box::new(body)))
    }
}

impl From<Full<Bytes>> for ResponseBody {
    fn from(body: Full<Bytes>) -> Self {
        Self(Kind::Whole(body))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Kind::Upstream(body) => body.poll_recorded(cx),
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
