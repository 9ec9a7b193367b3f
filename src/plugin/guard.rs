use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use super::condition::{Condition, ScopesOnly, With};
use super::evidence::{self, ClientCertificate};
use super::grpc;
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Demand;

/// What stands before a service: shared by the layer that hands it out and the services that ask it, so that a clone,
/// which routers make for every request, is one count.
pub(super) struct Guard<C> {
    shared: Arc<Shared<C>>,
    form: Form,
}

#[derive(Clone)]
struct Shared<C> {
    gate: Gate,
    demand: Demand,
    condition: C,
}

/// How a refusal is told.
#[derive(Debug, Clone, Copy)]
enum Form {
    Http,
    Grpc,
}

impl Guard<ScopesOnly> {
    pub(super) fn new(gate: Gate, demand: Demand) -> Self {
        Self { shared: Arc::new(Shared { gate, demand, condition: ScopesOnly }), form: Form::Http }
    }

    pub(super) fn with<F>(self, condition: F) -> Guard<With<F>> {
        let Shared { gate, demand, condition: ScopesOnly } = Arc::unwrap_or_clone(self.shared);
        Guard { shared: Arc::new(Shared { gate, demand, condition: With(condition) }), form: self.form }
    }
}

impl<C> Guard<C> {
    pub(super) fn grpc(self) -> Self {
        Self { form: Form::Grpc, ..self }
    }

    #[cold]
    fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        let refusal = self.shared.gate.refuse(denial);
        match self.form {
            Form::Http => refusal,
            Form::Grpc => grpc::refusal(&refusal, denial.description()),
        }
    }
}

impl<C: Condition> Guard<C> {
    /// Gives the request its permit, or the answer to give instead.
    #[inline]
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Response<Full<Bytes>>> {
        let Shared { gate, demand, condition } = &*self.shared;
        let certificate = ClientCertificate::of(request.extensions()).map(|certificate| certificate.sha256);
        let headers = request.headers();
        let target = || evidence::target(gate, request.method(), request.uri(), headers);
        let judged =
            gate.judge(headers, &demand.requirement, demand.audience.as_deref(), certificate, target);
        let admitted = judged.and_then(|permit| {
            condition.check(&permit, request)?;
            request.extensions_mut().insert::<Permit>(permit);
            Ok(())
        });
        admitted.map_err(|denial| self.refuse(&denial))
    }
}

impl<C> Clone for Guard<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), form: self.form }
    }
}

impl<C> fmt::Debug for Guard<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("demand", &self.shared.demand).field("form", &self.form).finish()
    }
}
