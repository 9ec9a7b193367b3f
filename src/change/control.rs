//! The central interface for drafts and commits.

use std::io;
use std::path::{Path, PathBuf};

use super::audit::{Audit, AuditLine};
use super::error::ChangeError;
use super::hidden::HidingKey;
use super::live::Live;
use super::state::StateFolder;
use super::texts::Texts;

/// Drafts, commits, the history and the audit of one configuration.
///
/// The methods are spread over the files of this module: drafts in `drafts`, their effect in `preview`,
/// commits in `commit`, confirmations in `confirm`, versions in `versions`, rollbacks in `rollback`. All of
/// them block, and hold a lock that excludes other processes: call them on a thread that may block.
pub(crate) struct ChangeControl {
    pub(super) config: PathBuf,
    pub(super) folder: StateFolder,
    pub(super) audit: Audit,
    pub(super) key: HidingKey,
    pub(super) live: Box<dyn Live>,
}

impl ChangeControl {
    /// Opens the state of a configuration, and creates its folder if it does not exist.
    ///
    /// # Errors
    /// Fails if the folder cannot be created or read.
    pub(crate) fn open(config: &Path, state_dir: &Path, live: Box<dyn Live>) -> io::Result<Self> {
        let folder = StateFolder::in_state_dir(state_dir);
        folder.make()?;
        let key = {
            let _lock = folder.lock()?;
            folder.key()?
        };
        let audit = Audit::of(&folder);
        Ok(Self { config: config.to_owned(), folder, audit, key, live })
    }

    /// Returns the audit, for events that are not changes of the configuration.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Returns the key that hides secrets in texts before they are shown.
    pub(crate) fn key(&self) -> &HidingKey {
        &self.key
    }

    /// Reads the texts from disk.
    ///
    /// # Errors
    /// Fails if the main file cannot be read.
    pub(crate) fn texts(&self) -> Result<Texts, ChangeError> {
        Texts::read(&self.config).map_err(ChangeError::State)
    }

    /// Writes a line to the audit.
    pub(super) fn record(&self, line: &AuditLine) -> Result<(), ChangeError> {
        self.audit.record(line).map_err(ChangeError::Audit)
    }
}
