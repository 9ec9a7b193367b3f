//! The warnings that are collected while lints run.

use crate::config::{Config, ConfigWarning, Lint, Position};

/// The warnings so far.
pub(super) struct Findings<'c> {
    config: &'c Config,
    all: Vec<ConfigWarning>,
}

impl<'c> Findings<'c> {
    /// Starts with the warnings of the reader of the file.
    pub(super) fn new(config: &'c Config) -> Self {
        Self { config, all: config.warnings.clone() }
    }

    /// Returns the warnings.
    pub(super) fn into_all(self) -> Vec<ConfigWarning> {
        self.all
    }

    /// Adds a warning about the key at a position.
    pub(super) fn add(
        &mut self,
        lint: Lint,
        position: Position,
        key: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.all.push(ConfigWarning::new(lint, self.config.file_of(position), Some(position), key, message));
    }

    /// Adds a warning about the file as a whole.
    pub(super) fn add_of_file(&mut self, lint: Lint, message: impl Into<String>) {
        self.all.push(ConfigWarning::new(lint, &self.config.file, None, "", message));
    }
}
