use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::GuardedBody;
use super::future::ResponseFuture;
use crate::gate::Gate;
use crate::oauth::scope::Requirement;

/// A service behind the gate. A request that passes carries its [`Permit`](crate::oauth::decide::Permit) in its
/// extensions; one that does not never reaches the inner service.
#[derive(Clone)]
pub struct RequireToken<S> {
    inner: S,
    gate: Gate,
    requirement: Arc<Requirement>,
}

impl<S> RequireToken<S> {
    pub(super) fn new(inner: S, gate: Gate, requirement: Arc<Requirement>) -> Self {
        Self { inner, gate, requirement }
    }
}

impl<S, B, R> Service<Request<B>> for RequireToken<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.gate.authorize(request.headers(), &self.requirement) {
            Ok(permit) => {
                request.extensions_mut().insert(permit);
                ResponseFuture::passed(self.inner.call(request))
            }
            Err(denial) => ResponseFuture::denied(self.gate.refuse(&denial)),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for RequireToken<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireToken").field("inner", &self.inner).finish_non_exhaustive()
    }
}
