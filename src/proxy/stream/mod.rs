//! The client's side of an HTTP/2 stream: one request and its response.

mod downstream;
mod reply;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::request::Parts;
use http::{Method, Request};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

pub(crate) use self::downstream::StreamDownstream;
pub(crate) use self::reply::Reply;
use crate::upstream::http2::received::ReceivedBody;

/// A request that a client has sent on an HTTP/2 stream, and what its response is sent with.
///
/// It is large, so it stays in one place while it is served.
pub(crate) struct Stream {
    pub(crate) parts: Parts,
    /// The body, until it is read or discarded.
    pub(crate) body: Option<ReceivedBody>,
    pub(crate) reply: Reply,
}

impl Stream {
    /// Creates the stream of a request. It is reset if the client accepts no data of the response for
    /// `write_timeout`. `resets` counts it if the client resets it.
    pub(crate) fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        write_timeout: Duration,
        resets: Arc<AtomicU32>,
    ) -> Self {
        let (parts, body) = request.into_parts();
        let reply = Reply::new(respond, parts.method == Method::HEAD, write_timeout, resets);
        let body = Some(ReceivedBody::new(body, &parts.headers));
        Self { parts, body, reply }
    }
}
