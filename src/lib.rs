//! OAuth 2.0 client-credentials protection for HTTP APIs.

pub mod oauth;
#[cfg(feature = "gateway")]
pub mod server;
