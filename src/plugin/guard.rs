use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use super::condition::{Condition, ScopesOnly, With};
use super::evidence;
use super::grpc;
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;
use crate::oauth::scope::Demand;

/// What stands before a service: shared by the layer that hands it out and the services that ask it.
#[derive(Clone)]
pub(super) struct Guard<C> {
    gate: Gate,
    demand: Arc<Demand>,
    condition: C,
    form: Form,
}

/// How a refusal is told.
#[derive(Debug, Clone, Copy)]
enum Form {
    Http,
    Grpc,
}

impl Guard<ScopesOnly> {
    pub(super) fn new(gate: Gate, demand: Demand) -> Self {
        Self { gate, demand: Arc::new(demand), condition: ScopesOnly, form: Form::Http }
    }

    pub(super) fn with<F>(self, condition: F) -> Guard<With<F>> {
        let Self { gate, demand, condition: ScopesOnly, form } = self;
        Guard { gate, demand, condition: With(condition), form }
    }
}

impl<C> Guard<C> {
    pub(super) fn grpc(self) -> Self {
        Self { form: Form::Grpc, ..self }
    }

    fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        let refusal = self.gate.refuse(denial);
        match self.form {
            Form::Http => refusal,
            Form::Grpc => grpc::refusal(&refusal, denial.description()),
        }
    }
}

impl<C: Condition> Guard<C> {
    /// The request with its permit, or the answer to give instead.
    pub(super) fn admit<B>(&self, request: Request<B>) -> Result<Request<B>, Response<Full<Bytes>>> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let evidence = evidence::of(&self.gate, method, uri, headers, request.extensions());
        let authorised = self.gate.authorize_with(headers, &self.demand, &evidence);
        let admitted = authorised.and_then(|permit| {
            let mut request = self.condition.check(&permit, request)?;
            request.extensions_mut().insert::<Permit>(permit);
            Ok(request)
        });
        admitted.map_err(|denial| self.refuse(&denial))
    }
}

impl<C> fmt::Debug for Guard<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("demand", &self.demand).field("form", &self.form).finish()
    }
}
