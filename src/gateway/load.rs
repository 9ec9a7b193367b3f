//! Reads and compiles gateway.toml.

use std::path::Path;

use super::build;
use super::error::StartError;
use crate::access::lint::lint;
use crate::config::Config;
use crate::proxy::rules::Rules;

/// The most warnings that a start or a reload logs.
const MOST_LOGGED: usize = 20;

/// Logs the warnings about a configuration.
pub(crate) fn log_warnings(config: &Config) {
    let warnings = lint(config);
    for warning in warnings.iter().take(MOST_LOGGED) {
        log::warn!("{warning}");
    }
    if warnings.len() > MOST_LOGGED {
        let more = warnings.len() - MOST_LOGGED;
        log::warn!("{}: {more} more warnings; `tollgate check` has all of them", config.file.display());
    }
}

/// Reads and compiles a configuration as the gateway runs it. Counters and server states of `before` carry over.
///
/// # Errors
/// Everything that is wrong with the file.
pub(crate) fn load(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), StartError> {
    let config = Config::load(path).map_err(StartError::config)?;
    let rules = build::rules(&config, before)?;
    Ok((config, rules))
}
