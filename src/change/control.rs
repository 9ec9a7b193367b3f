//! The one place through which drafts are kept and committed.

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
/// Its methods are in the files of this room: drafts in `drafts`, what they grant in `preview`, commits in `commit`,
/// confirmations in `confirm`, versions in `versions`, rollbacks in `rollback`. All of them block, and hold a lock that
/// keeps other processes apart: call them on a thread that may wait.
pub(crate) struct ChangeControl {
    pub(super) config: PathBuf,
    pub(super) folder: StateFolder,
    pub(super) audit: Audit,
    pub(super) key: HidingKey,
    pub(super) live: Box<dyn Live>,
}

impl ChangeControl {
    /// Opens the state of a configuration, and makes its folder first if it does not exist.
    ///
    /// # Errors
    /// The folder cannot be made or read.
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

    /// Returns the audit, for events that are no changes of the configuration.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Returns the key with which texts are made fit to be shown.
    pub(crate) fn key(&self) -> &HidingKey {
        &self.key
    }

    /// Reads the texts that are on the disk.
    ///
    /// # Errors
    /// The main file cannot be read.
    pub(crate) fn texts(&self) -> Result<Texts, ChangeError> {
        Texts::read(&self.config).map_err(ChangeError::State)
    }

    /// Writes a line of the audit.
    pub(super) fn record(&self, line: &AuditLine) -> Result<(), ChangeError> {
        self.audit.record(line).map_err(ChangeError::Audit)
    }
}
