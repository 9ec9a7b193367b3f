//! The source of a layer's decisions.

use std::mem;

use http::Request;
use tower_service::Service;

use crate::plugin::future::{Defer, ResponseFuture};
use crate::plugin::guard::{Guard, Refuse};

/// The source of a layer's decisions: [`Local`](super::Local), or `Remote` with the feature `remote`.
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

/// Takes the service that was polled ready, and leaves a clone that is not ready.
pub(super) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    mem::replace(service, clone)
}
