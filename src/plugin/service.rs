use std::fmt;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::GuardedBody;
use super::condition::{Condition, ScopesOnly};
use super::future::ResponseFuture;
use super::guard::Guard;

/// A service behind the gate. A request that passes carries its [`Permit`](crate::oauth::decide::Permit) in its
/// extensions; one that does not never reaches the inner service.
///
/// - *Readiness* is the inner service's: what it reserves in `poll_ready` (a place in a queue, a connection) is
///   used by the next request that passes. A refusal leaves it untouched for the one after.
/// - *Cancel safety*: the decision is made in `call`, without waiting. Dropping the future drops the inner service's
///   future or an answer that nobody reads, nothing else.
/// - *Bound tokens*: a [`ClientCertificate`](super::ClientCertificate) in the request's extensions is what
///   certificate-bound tokens need. A DPoP proof has to name the URI as this service sees it, under the issuer's scheme:
///   wrap the whole of a server, not a part of it whose paths a router shortens.
pub struct RequireToken<S, C = ScopesOnly> {
    inner: S,
    guard: Guard<C>,
}

impl<S, C> RequireToken<S, C> {
    pub(super) fn new(inner: S, guard: Guard<C>) -> Self {
        Self { inner, guard }
    }

    /// The service behind the gate.
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// # use tollgate::oauth::scope::Requirement;
    /// use tower::Layer;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let service = gate.require(Requirement::AnyToken).layer("any service");
    /// assert_eq!(*service.inner(), "any service");
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Takes the gate off.
    ///
    /// ```
    /// # use tollgate::gate::{Gate, GateSpec};
    /// # use tollgate::oauth::scope::Requirement;
    /// use tower::Layer;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let service = gate.require(Requirement::AnyToken).layer("any service");
    /// assert_eq!(service.into_inner(), "any service");
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R, C> Service<Request<B>> for RequireToken<S, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    C: Condition,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.guard.admit(&mut request) {
            // The same `inner` that was polled ready, never a clone of it.
            Ok(()) => ResponseFuture::passed(self.inner.call(request)),
            Err(refusal) => ResponseFuture::denied(refusal),
        }
    }
}

/// A clone of the inner service and one count, whatever the closure is.
impl<S: Clone, C> Clone for RequireToken<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: self.guard.clone() }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for RequireToken<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireToken").field("inner", &self.inner).field("guard", &self.guard).finish()
    }
}
