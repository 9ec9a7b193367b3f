//! OAuth 2.0 client-credentials protection for HTTP APIs.

mod answer;
pub mod clock;
pub mod gate;
pub mod oauth;
pub mod plugin;
pub mod store;
