//! Decisions by a gate in this process.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

use crate::gate::Gate;
use crate::gate::question::{Answers, NO_ANSWERS, Question, Undecided};
use crate::headers::identity;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Demand;
use crate::plugin::authorizer::{Authorizer, take_ready};
use crate::plugin::condition::{ScopesOnly, SyncCondition, WithAsync};
use crate::plugin::evidence::{self, ClientCertificate};
use crate::plugin::future::{Defer, Deferred, ResponseFuture};
use crate::plugin::guard::{Guard, Refuse};
use crate::store::BoxFuture;

/// Decisions by a [`Gate`] in this process. They are made at once; only a store that other gateways share may
/// have to be waited for. The inner service must be `Clone` for that.
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
    /// Authorizes a request by its token, with the answers that the store has given about it.
    #[inline]
    fn authorize<B>(
        &self,
        demand: &Demand,
        request: &Request<B>,
        answers: &Answers,
    ) -> Result<Permit, Undecided> {
        let certificate = ClientCertificate::of(request.extensions()).map(|certificate| certificate.sha256);
        let target = || evidence::target(self.gate.is_public_by_https(), request);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        self.gate.authorize_inner(request.headers(), requirement, audience, certificate, target, answers)
    }

    /// Authorizes a request of which only a copy of the head is at hand.
    fn authorize_head(&self, demand: &Demand, parts: &Parts, answers: &Answers) -> Result<Permit, Undecided> {
        let certificate = ClientCertificate::of(&parts.extensions).map(|certificate| certificate.sha256);
        let target = || evidence::target_of_head(self.gate.is_public_by_https(), parts);
        let (requirement, audience) = (&demand.requirement, demand.audience.as_deref());
        self.gate.authorize_inner(&parts.headers, requirement, audience, certificate, target, answers)
    }
}

impl<C: SyncCondition> Guard<Local<C>> {
    /// Authorizes a request and gives it its permit.
    #[inline]
    fn admit<B>(&self, request: &mut Request<B>, answers: &Answers) -> Result<(), Undecided> {
        let local = self.authorizer();
        let permit = local.authorize(self.demand(), request, answers)?;
        identity::remove(request.headers_mut());
        local.condition.check(&permit, request)?;
        request.extensions_mut().insert::<Permit>(permit);
        Ok(())
    }

    /// Begins to ask the store.
    fn ask(&self, question: Question, answers: Option<Box<Answers>>) -> BoxFuture<'static, Box<Answers>> {
        let gate = self.authorizer().gate.clone();
        Box::pin(async move { gate.ask(question, answers).await })
    }
}

impl<S, B, C> Authorizer<S, B> for Local<C>
where
    S: Service<Request<B>> + Clone,
    C: SyncCondition,
{
    type Deferred = Asking<S, B, C>;

    #[inline]
    fn call(
        guard: &Guard<Self>,
        inner: &mut S,
        mut request: Request<B>,
    ) -> ResponseFuture<S::Future, Self::Deferred> {
        match guard.admit(&mut request, &NO_ANSWERS) {
            // The same `inner` that was polled ready, never a clone of it.
            Ok(()) => ResponseFuture::inner(inner.call(request)),
            Err(Undecided::Denied(denial)) => ResponseFuture::refused(guard.refuse(&denial)),
            Err(Undecided::Ask(question)) => {
                ResponseFuture::deferred(Asking::new(guard, question, take_ready(inner), request))
            }
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
        let decided = match local.authorize(guard.demand(), &request, &NO_ANSWERS) {
            Err(Undecided::Denied(denial)) => return ResponseFuture::refused(guard.refuse(&denial)),
            decided => decided,
        };
        identity::remove(request.headers_mut());
        let (guard, parts) = (guard.clone(), evidence::head(&request));
        let authorized = async move {
            let authorized = guard.authorize_and_check(decided, parts).await;
            authorized.map_err(|denial| guard.refuse(&denial))
        };
        ResponseFuture::deferred(Deferred::new(Box::pin(authorized), take_ready(inner), request))
    }
}

impl<F, Fut> Guard<Local<WithAsync<F>>>
where
    F: Fn(Permit, Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Denial>> + Send + 'static,
{
    /// Ends a decision that was begun without waiting: asks the store if it has to be asked, and then the
    /// condition.
    async fn authorize_and_check(
        &self,
        mut decided: Result<Permit, Undecided>,
        parts: Parts,
    ) -> Result<Permit, Denial> {
        let (local, mut answers) = (self.authorizer(), None);
        let permit = loop {
            match decided {
                Ok(permit) => break permit,
                Err(Undecided::Denied(denial)) => return Err(denial),
                Err(Undecided::Ask(question)) => {
                    let given = local.gate.ask(question, answers).await;
                    decided = local.authorize_head(self.demand(), &parts, &given);
                    answers = Some(given);
                }
            }
        };
        (local.condition.0)(permit.clone(), parts).await?;
        Ok(permit)
    }
}

/// A request that waits for the store's answer about its token, and the service that it is for.
// Boxed, because it is rare and would make the future of every request larger.
pub struct Asking<S, B, C>(Box<Waiting<S, B, C>>);

struct Waiting<S, B, C> {
    answers: BoxFuture<'static, Box<Answers>>,
    request: Option<(S, Request<B>)>,
    guard: Guard<Local<C>>,
}

impl<S, B, C: SyncCondition> Asking<S, B, C> {
    fn new(guard: &Guard<Local<C>>, question: Question, service: S, request: Request<B>) -> Self {
        let answers = guard.ask(question, None);
        Self(Box::new(Waiting { answers, request: Some((service, request)), guard: guard.clone() }))
    }
}

impl<S: Service<Request<B>>, B, C: SyncCondition> Defer<S::Future> for Asking<S, B, C> {
    fn poll_call(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Future, Response<Full<Bytes>>>> {
        let Waiting { answers, request, guard } = &mut *self.get_mut().0;
        loop {
            let given = ready!(answers.as_mut().poll(cx));
            // It is polled until it is ready and then replaced, so the request is there.
            let (mut service, mut head) = request.take().expect("`Asking` polled after completion");
            match guard.admit(&mut head, &given) {
                Ok(()) => return Poll::Ready(Ok(service.call(head))),
                Err(Undecided::Denied(denial)) => return Poll::Ready(Err(guard.refuse(&denial))),
                Err(Undecided::Ask(question)) => {
                    *request = Some((service, head));
                    *answers = guard.ask(question, Some(given));
                }
            }
        }
    }
}

impl<S, B, C> fmt::Debug for Asking<S, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}
