//! The interface to the code that answers requests, and wrappers that detect the end of a response.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use pin_project_lite::pin_project;

use super::connection_info::ConnInfo;
use super::streams;
use crate::proxy::client::{Client, Socket};

/// Answers requests. All threads share one value.
pub(crate) trait Handler: Send + Sync + 'static {
    /// State that the requests of one HTTP/1 connection reuse one after the other.
    type Session: Default + Send;
    /// The body of a response to an HTTP/2 request.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
    /// The future of a response to an HTTP/2 request. It is not boxed here. It is dropped when the client
    /// disconnects.
    type Future: Future<Output = Response<Self::Body>> + Send + 'static;

    /// Answers an HTTP/1 request whose head has been received.
    fn serve<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ConnInfo,
        session: &mut Self::Session,
    ) -> impl Future<Output = ()> + Send;

    /// Answers an HTTP/2 request.
    fn handle(&self, request: Request<Incoming>, connection: &Arc<ConnInfo>) -> Self::Future;
}

/// The handler of one connection as a hyper service.
pub(super) struct Serve<H> {
    handler: Arc<H>,
    connection: Arc<ConnInfo>,
}

impl<H> Serve<H> {
    pub(super) fn new(handler: Arc<H>, connection: Arc<ConnInfo>) -> Self {
        Self { handler, connection }
    }
}

impl<H: Handler> Service<Request<Incoming>> for Serve<H> {
    type Response = Response<ServedBody<H::Body>>;
    type Error = Infallible;
    type Future = Answer<H::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::new(&self.connection);
        Answer { future: self.handler.handle(request, &self.connection), in_flight: Some(in_flight) }
    }
}

/// Counts a request as in flight until it is dropped.
struct InFlight(Arc<ConnInfo>);

impl InFlight {
    fn new(connection: &Arc<ConnInfo>) -> Self {
        connection.activity.request_begins();
        Self(Arc::clone(connection))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.activity.request_ends();
    }
}

pin_project! {
    /// The handler's future. The body of its response keeps counting the request as in flight.
    pub(super) struct Answer<F> {
        #[pin]
        future: F,
        in_flight: Option<InFlight>,
    }
}

impl<F: Future<Output = Response<B>>, B> Future for Answer<F> {
    type Output = Result<Response<ServedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx));
        let in_flight = this.in_flight.take();
        Poll::Ready(Ok(response.map(|body| ServedBody { body, _in_flight: in_flight })))
    }
}

pin_project! {
    /// The body of a response. The request is in flight until the body is dropped.
    pub struct ServedBody<B> {
        #[pin]
        body: B,
        _in_flight: Option<InFlight>,
    }
}

impl<B: Body> Body for ServedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = self.project().body.poll_frame(cx);
        streams::body_polled(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
