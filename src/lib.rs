//! OAuth 2.0 client-credentials protection for HTTP APIs.

mod answer;
pub mod clock;
pub mod gate;
pub mod oauth;
pub mod plugin;
#[cfg(feature = "gateway")]
pub mod proxy;
pub mod store;
