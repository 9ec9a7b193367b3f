//! The path prefix of the API.

/// The prefix of all paths of the API.
pub(in crate::admin) const PREFIX: &str = "/api/v1";
