//! OAuth 2.0 client-credentials protection for HTTP APIs.

mod answer;
#[cfg(feature = "gateway")]
pub mod cli;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
pub mod gate;
pub mod oauth;
pub mod plugin;
#[cfg(feature = "gateway")]
pub mod proxy;
#[cfg(feature = "gateway")]
pub mod server;
pub mod store;
