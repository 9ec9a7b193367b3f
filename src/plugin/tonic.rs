//! The name of a gRPC service behind the gate.

use tonic::server::NamedService;

use crate::plugin::service::RequireToken;

/// A service behind the gate keeps its name, so that a tonic server or its `Routes` can take it.
impl<S: NamedService, A> NamedService for RequireToken<S, A> {
    const NAME: &'static str = S::NAME;
}
