//! The assembly of the gateway: from gateway.toml to running listeners, and from a changed file to new
//! settings.

mod banner;
pub(crate) mod build;
pub(crate) mod certificates;
pub(crate) mod change_control;
mod changes;
pub(crate) mod client_set;
mod console;
pub(crate) mod demo;
pub(crate) mod error;
pub(crate) mod file_watch;
pub(crate) mod handover;
mod jwks;
pub(crate) mod jwt_keys;
pub(crate) mod load;
mod log;
pub(crate) mod registered;
mod reload;
pub(crate) mod secret_usage;
mod service_manager;
pub(crate) mod settings;
mod shadow_keeper;
pub(crate) mod start;
mod store;
mod upstream_tls;
