//! Reads and compiles gateway.toml.

use std::path::Path;

use super::build;
use crate::config::{Config, ConfigErrors};
use crate::proxy::rules::Rules;

/// Reads and compiles a configuration as the gateway runs it. Counters and server states of `before` carry over.
///
/// # Errors
/// Everything that is wrong with the file.
pub(crate) fn load(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), ConfigErrors> {
    let config = Config::load(path)?;
    let rules = build::rules(&config, before)?;
    Ok((config, rules))
}
