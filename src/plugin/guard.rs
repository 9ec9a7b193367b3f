use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::oauth::denial::Denial;
use crate::oauth::scope::Demand;
use crate::plugin::grpc;

/// Makes the answer to a request that was denied. This trait is sealed: it cannot be named outside of the
/// crate.
pub trait Refuse {
    #[doc(hidden)]
    fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>>;
}

/// The decision in front of a service. The layer and its services share it, so that a clone, which routers
/// make for every request, only counts a reference.
pub struct Guard<A> {
    shared: Arc<Shared<A>>,
    form: Form,
}

#[derive(Clone)]
struct Shared<A> {
    authorizer: A,
    demand: Demand,
}

/// The form of a refusal.
#[derive(Debug, Clone, Copy)]
enum Form {
    Http,
    Grpc,
}

impl<A> Guard<A> {
    pub(super) fn new(authorizer: A, demand: Demand) -> Self {
        Self { shared: Arc::new(Shared { authorizer, demand }), form: Form::Http }
    }

    /// Replaces the authorizer.
    pub(super) fn map<B>(self, map: impl FnOnce(A) -> B) -> Guard<B>
    where
        A: Clone,
    {
        let Shared { authorizer, demand } = Arc::unwrap_or_clone(self.shared);
        Guard { shared: Arc::new(Shared { authorizer: map(authorizer), demand }), form: self.form }
    }

    pub(super) fn grpc(self) -> Self {
        Self { form: Form::Grpc, ..self }
    }

    pub(super) fn authorizer(&self) -> &A {
        &self.shared.authorizer
    }

    pub(super) fn demand(&self) -> &Demand {
        &self.shared.demand
    }
}

impl<A: Refuse> Guard<A> {
    /// Makes the refusal, with the denial in its extensions.
    #[cold]
    pub(super) fn refuse(&self, denial: &Denial) -> Response<Full<Bytes>> {
        let refusal = self.shared.authorizer.refuse(denial);
        let mut refusal = match self.form {
            Form::Http => refusal,
            Form::Grpc => grpc::refusal(&refusal, denial.description()),
        };
        refusal.extensions_mut().insert::<Denial>(denial.clone());
        refusal
    }
}

impl<A> Clone for Guard<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), form: self.form }
    }
}

impl<A> fmt::Debug for Guard<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("demand", &self.shared.demand).field("form", &self.form).finish()
    }
}
