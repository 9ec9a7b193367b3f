use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::GuardedBody;
use super::evidence;
use super::future::ResponseFuture;
use crate::gate::Gate;
use crate::oauth::scope::Demand;

/// A service behind the gate. A request that passes carries its [`Permit`](crate::oauth::decide::Permit) in its
/// extensions; one that does not never reaches the inner service.
///
/// A [`ClientCertificate`](super::ClientCertificate) in the request's extensions is what certificate-bound tokens need. A
/// DPoP proof has to name the URI as this service sees it, under the issuer's scheme: wrap the whole of a server, not a
/// part of it whose paths a router shortens.
#[derive(Clone)]
pub struct RequireToken<S> {
    inner: S,
    gate: Gate,
    demand: Arc<Demand>,
}

impl<S> RequireToken<S> {
    pub(super) fn new(inner: S, gate: Gate, demand: Arc<Demand>) -> Self {
        Self { inner, gate, demand }
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
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let evidence = evidence::of(&self.gate, method, uri, headers, request.extensions());
        match self.gate.authorize_with(headers, &self.demand, &evidence) {
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
