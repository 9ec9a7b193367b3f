//! Reads and compiles gateway.toml.

use std::path::Path;

use super::build;
use crate::access::lint::lint;
use crate::config::{Config, ConfigErrors, Lint};
use crate::proxy::rules::Rules;

/// The most warnings that a start or a reload logs.
const MOST_LOGGED: usize = 20;

/// Logs the warnings about a configuration.
pub(crate) fn log_warnings(config: &Config) {
    let warnings = lint(config);
    let mut more = 0;
    for (at, warning) in warnings.iter().enumerate() {
        // Unverified connections are warned about at every start, however many other warnings there are.
        if at < MOST_LOGGED || warning.lint == Lint::UnverifiedUpstream {
            log::warn!("{warning}");
        } else {
            more += 1;
        }
    }
    if more > 0 {
        log::warn!("{}: {more} more warnings; `tollgate check` has all of them", config.file.display());
    }
}

/// Reads and compiles a configuration as the gateway runs it. Counters and server states of `before` carry over.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub(crate) fn load(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), ConfigErrors> {
    let config = Config::load(path)?;
    let rules = build::rules(&config, before)?;
    Ok((config, rules))
}
