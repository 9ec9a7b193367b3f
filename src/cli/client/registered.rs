//! Tells clients that have registered themselves from those of the configuration.

use std::path::Path;

use crate::change::environment::read_config;
use crate::oauth::registration::is_client_id;

/// Returns whether a name is the id of a registered client. A client of the configuration with that id is
/// meant first.
pub(super) fn is_meant(path: &Path, name: &str) -> bool {
    is_client_id(name)
        && read_config(path)
            .is_ok_and(|config| config.client(name).is_none() && config.token_service.registration.is_some())
}
