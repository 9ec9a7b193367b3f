//! Where the API is.

/// The path in front of all paths of the API.
pub(in crate::admin) const PREFIX: &str = "/api/v1";
