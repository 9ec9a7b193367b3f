//! The layer with decisions by a [`RemoteGate`].

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

use crate::gate::RemoteGate;
use crate::headers::identity;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::evidence::Evidence;
use crate::oauth::scope::{self, IntoDemand, Requirement, ScopeError};
use crate::plugin::authorizer::{Authorizer, take_ready};
use crate::plugin::condition::{Condition, ScopesOnly, With, WithAsync};
use crate::plugin::evidence::{self, ClientCertificate};
use crate::plugin::future::{Deferred, ResponseFuture};
use crate::plugin::guard::{Guard, Refuse};
use crate::plugin::layer::RequireTokenLayer;

/// Decisions by a [`RemoteGate`], which have to be waited for. The inner service must be `Clone`: the one
/// that was polled ready waits for the decision together with the request, and is dropped with a refusal.
#[derive(Clone)]
pub struct Remote<C = ScopesOnly> {
    gate: RemoteGate,
    condition: C,
}

impl<C> Refuse for Remote<C> {
    fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        self.gate.refuse(denial)
    }
}

impl<C: Condition> Guard<Remote<C>> {
    async fn authorize(&self, parts: Parts) -> Result<Permit, Denial> {
        let Remote { gate, condition } = self.authorizer();
        let shown = Evidence {
            certificate: ClientCertificate::of(&parts.extensions),
            target: evidence::target_of_head(gate.is_https(), &parts),
        };
        let permit = gate.authorize(&parts.headers, self.demand(), &shown).await?;
        condition.check(permit.clone(), parts).await?;
        Ok(permit)
    }
}

impl<S, B, C> Authorizer<S, B> for Remote<C>
where
    S: Service<Request<B>> + Clone,
    C: Condition,
{
    type Deferred = Deferred<S, B>;

    fn call(
        guard: &Guard<Self>,
        inner: &mut S,
        mut request: Request<B>,
    ) -> ResponseFuture<S::Future, Self::Deferred> {
        identity::remove(request.headers_mut());
        let (guard, parts) = (guard.clone(), evidence::head(&request));
        let authorized = async move { guard.authorize(parts).await.map_err(|denial| guard.refuse(&denial)) };
        ResponseFuture::deferred(Deferred::new(Box::pin(authorized), take_ready(inner), request))
    }
}

impl RemoteGate {
    /// Makes a layer that requires a token with some scopes. It takes the same demands as
    /// [`Gate::require`](crate::Gate::require).
    ///
    /// # Panics
    /// If a scope is not allowed by RFC 6749 §3.3, or the list is empty. [`RemoteGate::try_require`] returns
    /// the error instead.
    #[must_use]
    #[track_caller]
    pub fn require(&self, demand: impl IntoDemand) -> RequireTokenLayer<Remote> {
        let remote = Remote { gate: self.clone(), condition: ScopesOnly };
        RequireTokenLayer::new(Guard::new(remote, scope::expect_valid(demand)))
    }

    /// Makes a layer that requires a token with some scopes, like [`RemoteGate::require`].
    ///
    /// # Errors
    /// A [`ScopeError`] if a scope is not allowed by RFC 6749 §3.3, or the list is empty.
    pub fn try_require(&self, demand: impl IntoDemand) -> Result<RequireTokenLayer<Remote>, ScopeError> {
        Ok(self.require(demand.into_demand()?))
    }

    /// Makes a layer that requires any valid token, and a closure that accepts the request. See
    /// [`Gate::require_with`](crate::Gate::require_with).
    #[must_use]
    pub fn require_with<F>(&self, condition: F) -> RequireTokenLayer<Remote<With<F>>>
    where
        F: Fn(&Permit, &Parts) -> Result<(), Denial> + Send + Sync + 'static,
    {
        self.require(Requirement::AnyToken).and(condition)
    }
}

impl RequireTokenLayer<Remote> {
    /// Adds a closure that must accept the request too, after its token and scopes.
    #[must_use]
    pub fn and<F>(self, condition: F) -> RequireTokenLayer<Remote<With<F>>>
    where
        F: Fn(&Permit, &Parts) -> Result<(), Denial> + Send + Sync + 'static,
    {
        self.map(|remote| Remote { gate: remote.gate, condition: With(condition) })
    }

    /// Adds a closure whose future must accept the request too, after its token and scopes.
    #[must_use]
    pub fn and_async<F, Fut>(self, condition: F) -> RequireTokenLayer<Remote<WithAsync<F>>>
    where
        F: Fn(Permit, Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Denial>> + Send + 'static,
    {
        self.map(|remote| Remote { gate: remote.gate, condition: WithAsync(condition) })
    }
}
