use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::service::RequireToken;
use crate::gate::Gate;
use crate::oauth::scope::Demand;

/// Lets requests through to the inner service only with a good token. Made by [`Gate::require`].
#[derive(Clone)]
pub struct RequireTokenLayer {
    gate: Gate,
    demand: Arc<Demand>,
}

impl Gate {
    /// A layer that asks for a token before every request: with some scopes (a
    /// [`Requirement`](crate::oauth::scope::Requirement)), or for one resource too (a [`Demand`]).
    #[must_use]
    pub fn require(&self, demand: impl Into<Demand>) -> RequireTokenLayer {
        RequireTokenLayer { gate: self.clone(), demand: Arc::new(demand.into()) }
    }
}

impl<S> Layer<S> for RequireTokenLayer {
    type Service = RequireToken<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireToken::new(inner, self.gate.clone(), Arc::clone(&self.demand))
    }
}

impl fmt::Debug for RequireTokenLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenLayer").field("demand", &self.demand).finish_non_exhaustive()
    }
}
