//! Where a layer gets its decisions from.

use std::mem;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

use crate::gate::Gate;
use crate::headers::identity;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Demand;
use crate::plugin::condition::{ScopesOnly, SyncCondition, WithAsync};
use crate::plugin::evidence::{self, ClientCertificate};
use crate::plugin::future::{Defer, Deferred, Immediate, ResponseFuture};
use crate::plugin::guard::{Guard, Refuse};

/// The source of a layer's decisions: [`Local`], or `Remote` with the feature `remote`.
pub trait Authorizer<S, B>: Refuse + Sized
where
    S: Service<Request<B>>,
{
    /// The part of the answer's future that waits for a decision.
    type Deferred: Defer<S::Future>;

    /// Passes a request on to the inner service, or refuses it.
    #[doc(hidden)]
    fn call(
        guard: &Guard<Self>,
        inner: &mut S,
        request: Request<B>,
    ) -> ResponseFuture<S::Future, Self::Deferred>;
}

/// Decisions by a [`Gate`] in this process. They are made at once, without waiting.
#[derive(Clone)]
pub struct Local<C = ScopesOnly> {
    pub(super) gate: Gate,
    pub(super) condition: C,
}

impl<C> Refuse for Local<C> {
    fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        self.gate.refuse(denial)
    }
}

impl<C> Local<C> {
    /// Authorizes a request by its token.
    #[inline]
    fn authorize<B>(&self, demand: &Demand, request: &Request<B>) -> Result<Permit, Denial> {
        let certificate = ClientCertificate::of(request.extensions()).map(|certificate| certificate.sha256);
        let target = || evidence::target(self.gate.is_public_by_https(), request);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        self.gate.authorize_inner(request.headers(), requirement, audience, certificate, target)
    }
}

impl<S, B, C> Authorizer<S, B> for Local<C>
where
    S: Service<Request<B>>,
    C: SyncCondition,
{
    type Deferred = Immediate;

    #[inline]
    fn call(guard: &Guard<Self>, inner: &mut S, mut request: Request<B>) -> ResponseFuture<S::Future> {
        let local = guard.authorizer();
        let authorized = local.authorize(guard.demand(), &request).and_then(|permit| {
            identity::remove(request.headers_mut());
            local.condition.check(&permit, &mut request)?;
            request.extensions_mut().insert::<Permit>(permit);
            Ok(())
        });
        match authorized {
            // The same `inner` that was polled ready, never a clone of it.
            Ok(()) => ResponseFuture::inner(inner.call(request)),
            Err(denial) => ResponseFuture::refused(guard.refuse(&denial)),
        }
    }
}

impl<S, B, F, Fut> Authorizer<S, B> for Local<WithAsync<F>>
where
    S: Service<Request<B>> + Clone,
    F: Fn(Permit, Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Denial>> + Send + 'static,
{
    type Deferred = Deferred<S, B>;

    fn call(
        guard: &Guard<Self>,
        inner: &mut S,
        mut request: Request<B>,
    ) -> ResponseFuture<S::Future, Self::Deferred> {
        let local = guard.authorizer();
        let permit = match local.authorize(guard.demand(), &request) {
            Ok(permit) => permit,
            Err(denial) => return ResponseFuture::refused(guard.refuse(&denial)),
        };
        identity::remove(request.headers_mut());
        let checked = (local.condition.0)(permit.clone(), evidence::head(&request));
        let guard = guard.clone();
        let authorized = async move {
            match checked.await {
                Ok(()) => Ok(permit),
                Err(denial) => Err(guard.refuse(&denial)),
            }
        };
        ResponseFuture::deferred(Deferred::new(Box::pin(authorized), take_ready(inner), request))
    }
}

/// Takes the service that was polled ready, and leaves a clone that is not ready.
pub(super) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}
