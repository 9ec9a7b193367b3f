use std::fmt;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::plugin::authorizer::Authorizer;
use crate::plugin::body::GuardedBody;
use crate::plugin::future::ResponseFuture;
use crate::plugin::guard::Guard;
use crate::plugin::local::Local;

/// A service behind the gate. An authorized request carries its [`Permit`](crate::Permit) in its extensions;
/// any other request never reaches the inner service.
///
/// - *Readiness* is the inner service's. What it reserves in `poll_ready` (a place in a queue, a connection)
///   is used by the next authorized request. With [`Local`] decisions a refusal leaves it untouched for the
///   request after; where a decision has to be waited for, a refusal drops it.
/// - *Cancel safety*: dropping the future drops the inner service's future or the decision that is waited
///   for.
/// - *Identity headers* (`X-Client-Id`, `X-Client-Scope`) that a client has sent are removed, in every
///   spelling, as the gateway does. The inner service reads the permit.
/// - *Refusals* carry their [`Denial`](crate::Denial) in their extensions, for middleware that logs the
///   reason.
/// - *Bound tokens*: certificate-bound tokens need a [`ClientCertificate`](super::ClientCertificate) in the
///   request's extensions. A DPoP proof has to name the URI of the request, with the scheme of the issuer.
///   Below a nested axum router that is the URI that the client used (feature `axum`); below any other router
///   that shortens paths, it is the shortened one, so wrap the whole server instead.
pub struct RequireToken<S, A = Local> {
    inner: S,
    guard: Guard<A>,
}

impl<S, A> RequireToken<S, A> {
    pub(super) fn new(inner: S, guard: Guard<A>) -> Self {
        Self { inner, guard }
    }

    /// Returns the service behind the gate.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// use tower::Layer;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let service = gate.require("read").layer("any service");
    /// assert_eq!(*service.inner(), "any service");
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Returns the service without the gate.
    ///
    /// ```
    /// # use tollgate::{Gate, GateSpec};
    /// use tower::Layer;
    ///
    /// # let gate = Gate::builder(GateSpec::default()).build()?;
    /// let service = gate.require("read").layer("any service");
    /// assert_eq!(service.into_inner(), "any service");
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R, A> Service<Request<B>> for RequireToken<S, A>
where
    S: Service<Request<B>, Response = Response<R>>,
    A: Authorizer<S, B>,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, A::Deferred>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        A::call(&self.guard, &mut self.inner, request)
    }
}

impl<S: Clone, A> Clone for RequireToken<S, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: self.guard.clone() }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for RequireToken<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireToken").field("inner", &self.inner).field("guard", &self.guard).finish()
    }
}
