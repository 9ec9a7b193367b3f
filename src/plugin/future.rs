use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::oauth::decide::Permit;
use crate::plugin::body::GuardedBody;

pin_project! {
    /// The answer of a service behind the gate: the inner service's, or a refusal.
    ///
    /// `F` is the inner service's future. `D` is the part that waits for a decision:
    /// [`Asking`](super::Asking) if a gate in this process decides, which waits for nothing but a shared
    /// store, or [`Deferred`] if every decision is waited for.
    #[derive(Debug)]
    pub struct ResponseFuture<F, D> {
        #[pin]
        kind: Kind<F, D>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F, D> {
        Inner { #[pin] future: F },
        Refused { response: Option<Response<Full<Bytes>>> },
        Deferred { #[pin] deferred: D },
    }
}

impl<F, D> ResponseFuture<F, D> {
    pub(super) fn inner(future: F) -> Self {
        Self { kind: Kind::Inner { future } }
    }

    pub(super) fn refused(response: Response<Full<Bytes>>) -> Self {
        Self { kind: Kind::Refused { response: Some(response) } }
    }

    pub(super) fn deferred(deferred: D) -> Self {
        Self { kind: Kind::Deferred { deferred } }
    }
}

impl<F, D, B, E> Future for ResponseFuture<F, D>
where
    F: Future<Output = Result<Response<B>, E>>,
    D: Defer<F>,
{
    type Output = Result<Response<GuardedBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project().kind.project() {
                KindProjection::Inner { future } => {
                    return Poll::Ready(
                        ready!(future.poll(cx)).map(|response| response.map(GuardedBody::inner)),
                    );
                }
                KindProjection::Refused { response } => {
                    // As `std::future::Ready`: polling again is a bug of the program, no request can cause
                    // it.
                    let response = response.take().expect("`ResponseFuture` polled after completion");
                    return Poll::Ready(Ok(response.map(GuardedBody::refusal)));
                }
                KindProjection::Deferred { deferred } => match ready!(deferred.poll_call(cx)) {
                    Ok(future) => Kind::Inner { future },
                    Err(refusal) => Kind::Refused { response: Some(refusal) },
                },
            };
            self.as_mut().project().kind.set(next);
        }
    }
}

/// The part of a [`ResponseFuture`] that waits for a decision: [`Asking`](super::Asking) or [`Deferred`].
pub trait Defer<F> {
    /// Returns the inner service's future once the request is authorized, or its refusal.
    #[doc(hidden)]
    fn poll_call(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<F, Response<Full<Bytes>>>>;
}

/// The decision on a request, as a future: a permit, or the refusal.
pub(super) type Authorized = Pin<Box<dyn Future<Output = Result<Permit, Response<Full<Bytes>>>> + Send>>;

pin_project! {
    /// A request that waits for its decision, and the service that it is for.
    pub struct Deferred<S, B> {
        authorized: Authorized,
        waiting: Option<(S, Request<B>)>,
    }
}

impl<S, B> Deferred<S, B> {
    pub(super) fn new(authorized: Authorized, service: S, request: Request<B>) -> Self {
        Self { authorized, waiting: Some((service, request)) }
    }
}

impl<S: Service<Request<B>>, B> Defer<S::Future> for Deferred<S, B> {
    fn poll_call(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Future, Response<Full<Bytes>>>> {
        let this = self.project();
        let decision = ready!(this.authorized.as_mut().poll(cx));
        // It is polled until it is ready and then replaced, so the request is there.
        let (mut service, mut request) = this.waiting.take().expect("`Deferred` polled after completion");
        Poll::Ready(decision.map(|permit| {
            request.extensions_mut().insert::<Permit>(permit);
            service.call(request)
        }))
    }
}

impl<S, B> fmt::Debug for Deferred<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}
