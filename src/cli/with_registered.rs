//! The configuration together with the clients that have registered themselves.

use std::path::Path;

use crate::access::registered::add_to;
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Config;
use crate::gateway::registered;

/// Reads the configuration, and adds the registered clients in the store to its clients. Commands that only
/// show clients use it.
pub(super) fn read(path: &Path) -> Result<Config, Failure> {
    let mut config = read_config(path)?;
    if config.token_service.registration.is_some() {
        match registered::stored(&config) {
            Ok(clients) => add_to(&mut config, &clients),
            Err(error) => output::note(&format!("the registered clients are unknown: {error}")),
        }
    }
    Ok(config)
}
