//! OAuth 2.0 client-credentials protection for HTTP APIs.

#[cfg(feature = "config")]
pub mod config;
pub mod oauth;
