use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::service::RequireToken;
use crate::gate::Gate;
use crate::oauth::scope::Requirement;

/// Lets requests through to the inner service only with a good token. Made by [`Gate::require`].
#[derive(Clone)]
pub struct RequireTokenLayer {
    gate: Gate,
    requirement: Arc<Requirement>,
}

impl Gate {
    /// A layer that asks for a token with these scopes before every request.
    #[must_use]
    pub fn require(&self, requirement: Requirement) -> RequireTokenLayer {
        RequireTokenLayer { gate: self.clone(), requirement: Arc::new(requirement) }
    }
}

impl<S> Layer<S> for RequireTokenLayer {
    type Service = RequireToken<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireToken::new(inner, self.gate.clone(), Arc::clone(&self.requirement))
    }
}

impl fmt::Debug for RequireTokenLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenLayer").field("requirement", &self.requirement).finish_non_exhaustive()
    }
}
