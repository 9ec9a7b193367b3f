//! Methods.

use http::Method;

/// The methods that a route matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All but TRACE and CONNECT.
    All,
    /// At least one, without duplicates, neither TRACE nor CONNECT.
    Only(Vec<Method>),
}

impl Methods {
    /// Returns the methods, or `None` for all of them.
    #[must_use]
    pub fn only(&self) -> Option<&[Method]> {
        match self {
            Self::All => None,
            Self::Only(methods) => Some(methods),
        }
    }
}
