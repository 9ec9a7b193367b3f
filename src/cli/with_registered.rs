//! The configuration together with the clients that have registered themselves.

use std::path::Path;

use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{Config, StoreKind};
use crate::gateway::registered;

/// Reads the configuration, and adds the registered clients in the journal to its clients. Commands that only
/// show clients use it.
pub(super) fn read(path: &Path) -> Result<Config, Failure> {
    let mut config = read_config(path)?;
    let is_in_journal = matches!(config.store, StoreKind::Journal | StoreKind::JournalIfPossible);
    if config.token_service.registration.is_some() && is_in_journal {
        match registered::in_folder(&config.server.state_dir) {
            Ok(clients) => registered::add_to(&mut config, &clients),
            Err(error) => output::note(&format!("the registered clients are unknown: {error}")),
        }
    }
    Ok(config)
}
