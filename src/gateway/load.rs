//! Reads and compiles gateway.toml.

use std::path::Path;

use super::build;
use crate::access::expect::{self, Violation};
use crate::access::lint::lint;
use crate::change::texts::Texts;
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

/// Verifies the access tests of a configuration, and returns those that it violates.
pub(crate) fn violations(config: &Config) -> Vec<Violation> {
    expect::violations(config, &|config| build::rules(config, None))
}

/// Reads and compiles a configuration as the gateway runs it, without its access tests. Counters and server
/// states of `before` carry over.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub(crate) fn compile(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), ConfigErrors> {
    let config = Config::load(path)?;
    let rules = build::rules(&config, before)?;
    Ok((config, rules))
}

/// Reads and compiles a configuration as the gateway runs it, and verifies its access tests. Counters and
/// server states of `before` carry over.
///
/// # Errors
/// Everything that is wrong with the file, or else the access tests that it violates.
pub(crate) fn load(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), ConfigErrors> {
    test_access(compile(path, before)?)
}

/// Compiles texts that are not written yet as [`load`] compiles the files.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_texts(texts: &Texts, before: Option<&Rules>) -> Result<(Config, Rules), ConfigErrors> {
    let config = Config::load_edited(texts.main_path(), texts.files())?;
    let rules = build::rules(&config, before)?;
    test_access((config, rules))
}

/// Verifies the access tests of a configuration.
pub(super) fn test_access((config, rules): (Config, Rules)) -> Result<(Config, Rules), ConfigErrors> {
    match expect::as_errors(&config, &violations(&config)) {
        None => Ok((config, rules)),
        // A change of one of these files may remove the violation.
        Some(errors) => Err(errors.with_files(config.files)),
    }
}
