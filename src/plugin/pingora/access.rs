use std::sync::Arc;

use crate::oauth::scope::{self, Demand, IntoDemand, ScopeError};

/// The requirement on a request. It is cheap to clone, so that a closure can return a clone of one that was
/// made at start-up.
///
/// ```
/// use tollgate::plugin::pingora::Access;
///
/// let read = Access::token("read");
/// let by_path = move |head: &pingora::http::RequestHeader| match head.uri.path() {
///     "/health" => Access::Public,
///     _ => read.clone(),
/// };
/// # let _ = by_path;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// No token is needed. A token changes nothing, valid or not; one of the gate's own is not forwarded.
    Public,
    /// A valid token that meets the demand.
    Token(Arc<Demand>),
}

impl Access {
    /// Requires a valid token. It takes the same demands as [`Gate::require`](crate::Gate::require).
    ///
    /// # Panics
    /// If a scope is not allowed by RFC 6749 §3.3, or the list is empty. [`Access::try_token`] returns the
    /// error instead.
    #[must_use]
    #[track_caller]
    pub fn token(demand: impl IntoDemand) -> Self {
        Self::Token(Arc::new(scope::expect_valid(demand)))
    }

    /// Requires a valid token, like [`Access::token`].
    ///
    /// # Errors
    /// A [`ScopeError`] if a scope is not allowed by RFC 6749 §3.3, or the list is empty.
    pub fn try_token(demand: impl IntoDemand) -> Result<Self, ScopeError> {
        Ok(Self::Token(Arc::new(demand.into_demand()?)))
    }
}
