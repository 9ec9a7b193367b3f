use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::body::GuardedBody;

pin_project! {
    /// The answer of a service behind the gate: its own, or a refusal.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Passed { #[pin] future: F },
        Denied { response: Option<Response<Full<Bytes>>> },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn passed(future: F) -> Self {
        Self { kind: Kind::Passed { future } }
    }

    pub(super) fn denied(response: Response<Full<Bytes>>) -> Self {
        Self { kind: Kind::Denied { response: Some(response) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<GuardedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Passed { future } => {
                Poll::Ready(ready!(future.poll(cx)).map(|response| response.map(GuardedBody::inner)))
            }
            KindProjection::Denied { response } => {
                // As `std::future::Ready`: to poll on is a fault of the program, no request can cause it.
                let response = response.take().expect("`ResponseFuture` polled after completion");
                Poll::Ready(Ok(response.map(GuardedBody::refusal)))
            }
        }
    }
}
