//! Warnings about a configuration as a whole: settings that are valid each, and together probably not what was
//! meant.
//!
//! What can be seen at one value is warned about where the value is read ([`Config::warnings`]). Here are the
//! lints that compare routes, clients, scopes and listeners.

pub(crate) mod exposure;
mod names;
mod spellings;

use crate::config::{Config, ConfigWarning, Lint, Position};

/// Returns every warning about a configuration, in the order of its lines. What is about the file as a whole
/// comes first.
pub(crate) fn lint(config: &Config) -> Vec<ConfigWarning> {
    let mut findings = Findings { config, all: config.warnings.clone() };
    names::names(config, &mut findings);
    spellings::spellings(config, &mut findings);
    exposure::exposure(config, &mut findings);
    let mut all = findings.all;
    all.sort_by_key(|warning| warning.position);
    all
}

/// The warnings so far.
struct Findings<'c> {
    config: &'c Config,
    all: Vec<ConfigWarning>,
}

impl Findings<'_> {
    /// Adds a warning about the key at a position.
    fn add(&mut self, lint: Lint, position: Position, key: impl Into<String>, message: impl Into<String>) {
        self.all.push(ConfigWarning::new(lint, self.config.file_of(position), Some(position), key, message));
    }

    /// Adds a warning about the file as a whole.
    fn add_of_file(&mut self, lint: Lint, message: impl Into<String>) {
        self.all.push(ConfigWarning::new(lint, &self.config.file, None, "", message));
    }
}

#[cfg(test)]
mod tests;
