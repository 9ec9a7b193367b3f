use std::sync::Arc;

use crate::oauth::scope::Demand;

/// What a request needs in order to pass. Cheap to clone, so that a closure can hand out what was made beforehand.
///
/// ```
/// use tollgate::oauth::scope::Requirement;
/// use tollgate::plugin::pingora::Access;
///
/// let read = Access::token(Requirement::all(["read"])?);
/// let by_path = move |head: &pingora::http::RequestHeader| match head.uri.path() {
///     "/health" => Access::Public,
///     _ => read.clone(),
/// };
/// # let _ = by_path;
/// # Ok::<(), tollgate::oauth::scope::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing. A token changes nothing, good or bad; one of the gate's own goes no further.
    Public,
    /// A good token, for all that the demand names.
    Token(Arc<Demand>),
}

impl Access {
    /// A good token, with some scopes (a [`Requirement`](crate::oauth::scope::Requirement)), or for one resource too (a
    /// [`Demand`]).
    #[must_use]
    pub fn token(demand: impl Into<Demand>) -> Self {
        Self::Token(Arc::new(demand.into()))
    }
}
