//! Verification only: tokens that a gateway in another process has issued, checked by asking it (RFC 7662).
//!
//! The way of a request: its token's form and checksum → the cache, if the staleness is not zero → at most
//! one introspection per token at a time → the endpoint → the same decision as in the process that issued the
//! token.

mod answer;
mod builder;
mod cache;
mod endpoint;
mod error;
mod flights;
mod gate;

pub use builder::RemoteGateBuilder;
pub use endpoint::Credentials;
pub use error::{IntrospectionError, RemoteGateError};
pub use gate::RemoteGate;
