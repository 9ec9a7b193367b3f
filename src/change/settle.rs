//! Recovers from a crash, and records changes from outside.

use std::path::PathBuf;
use std::time::SystemTime;

use super::actor::{Actor, Via};
use super::audit::{AuditLine, Event};
use super::commit::Pending;
use super::config_file::replace;
use super::control::ChangeControl;
use super::error::ChangeError;
use super::state::{self, StateLock};
use super::unconfirmed::Unconfirmed;
use super::versions::{History, Version, VersionState};

/// A guard for the time in which only one command edits the configuration.
pub(crate) struct Held<'c> {
    control: &'c ChangeControl,
    _lock: StateLock,
}

impl Held<'_> {
    /// Records the configuration as a version after a command edited it. Does nothing if the last version is
    /// the same.
    ///
    /// # Errors
    /// Fails if the state cannot be written.
    pub(crate) fn record(&self, actor: &Actor, comment: &str) -> Result<(), ChangeError> {
        if let Some(version) = self.control.observe(Via::Cli, &actor.name, comment)? {
            let line = AuditLine::now(actor, Event::Commit, "configuration", "applied");
            self.control.record(&line.version(version.number).detail(comment))?;
        }
        Ok(())
    }
}

impl ChangeControl {
    /// Recovers from a crash, carries out a rollback that is due, and records the configuration as a version
    /// if it was changed in the meantime. This is called before the gateway serves, and by commands that
    /// change something.
    ///
    /// # Errors
    /// Fails if the state cannot be read or written.
    pub(crate) fn settle(&self, now: SystemTime) -> Result<(), ChangeError> {
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        self.settle_locked(now)
    }

    fn settle_locked(&self, now: SystemTime) -> Result<(), ChangeError> {
        let history = History(&self.folder);
        self.complete_pending()?;
        let in_place = self.texts()?.hash();
        let waiting = Unconfirmed::read(&self.folder).map_err(ChangeError::State)?;
        for number in history.numbers().map_err(ChangeError::State)?.into_iter().rev() {
            let version = history.get(number).map_err(ChangeError::State)?;
            let Some(version) = version.filter(|version| version.state == VersionState::Prepared) else {
                // Only the last version can be in the state `prepared`, because the next commit resolves that
                // state first.
                break;
            };
            self.settle_version(version, &in_place, waiting.as_ref())?;
        }
        history.prune().map_err(ChangeError::State)?;
        self.enforce_deadline_locked(now)?;
        self.record_observed()
    }

    fn settle_version(
        &self,
        version: Version,
        in_place: &str,
        waiting: Option<&Unconfirmed>,
    ) -> Result<(), ChangeError> {
        let waits = waiting.is_some_and(|waiting| waiting.version == version.number);
        let state = match (version.sha256 == in_place, waits) {
            (true, true) => VersionState::Provisional,
            (true, false) => VersionState::Applied,
            (false, _) => VersionState::Abandoned,
        };
        if waits && state == VersionState::Abandoned {
            Unconfirmed::remove(&self.folder).map_err(ChangeError::State)?;
        }
        self.finish(version.number, state)?;
        let outcome = if state == VersionState::Abandoned { "abandoned" } else { "applied" };
        log::warn!("the commit of version {} was interrupted: it is {outcome}", version.number);
        let line = AuditLine::now(&Actor::gateway(), Event::Commit, "configuration", outcome);
        self.record(&line.version(version.number).detail("settled after an interruption"))
    }

    /// Restores the old files if a commit of several files was interrupted.
    fn complete_pending(&self) -> Result<(), ChangeError> {
        let Some(bytes) = state::read(&self.folder.pending()).map_err(ChangeError::State)? else {
            return Ok(());
        };
        // If this file is incomplete, the commit had not replaced any file yet.
        if let Ok(Pending { version, files }) = serde_json::from_slice(&bytes) {
            let texts = self.texts()?;
            let path_of =
                |name: &PathBuf| texts.iter().map(|(path, _)| path).find(|path| texts.name(path) == *name);
            let is = |name: &PathBuf, text: &str| path_of(name).and_then(|path| texts.of(path)) == Some(text);
            let all_new = files.iter().all(|(name, _, new)| is(name, new));
            let known = files.iter().all(|(name, old, new)| is(name, old) || is(name, new));
            if known && !all_new {
                for (name, old, new) in files.iter().filter(|(name, _, new)| is(name, new)) {
                    if let Some(path) = path_of(name) {
                        replace(path, new, old)?;
                    }
                }
                log::warn!("the commit of version {version} was interrupted, and its files were restored");
            }
        }
        state::remove(&self.folder.pending()).map_err(ChangeError::State)
    }

    /// Records the configuration as a version if the last version is different, and writes that to the audit.
    fn record_observed(&self) -> Result<(), ChangeError> {
        let is_first = History(&self.folder).head().map_err(ChangeError::State)?.is_none();
        let comment =
            if is_first { "The first version that was seen" } else { "Edited outside of the gateway" };
        if let Some(version) = self.observe(Via::File, "file", comment)? {
            let actor = Actor { name: "file".to_owned(), via: Via::File, ..Actor::gateway() };
            let line = AuditLine::now(&actor, Event::Reload, "configuration", "changed");
            self.record(&line.version(version.number))?;
        }
        Ok(())
    }

    /// Excludes other changes until the result is dropped. Earlier edits from outside are recorded.
    ///
    /// # Errors
    /// Fails if the state cannot be read or written.
    pub(crate) fn hold(&self) -> Result<Held<'_>, ChangeError> {
        let lock = self.folder.lock().map_err(ChangeError::State)?;
        self.record_observed()?;
        Ok(Held { control: self, _lock: lock })
    }

    /// Records a configuration that was changed from outside, if it is valid. Does nothing while another
    /// change runs; the result `false` means that the caller should try again.
    ///
    /// # Errors
    /// Fails if the state cannot be read or written.
    pub(crate) fn record_outside_edit(&self) -> Result<bool, ChangeError> {
        let Some(_lock) = self.folder.try_lock().map_err(ChangeError::State)? else { return Ok(false) };
        let texts = self.texts()?;
        let head = History(&self.folder).head().map_err(ChangeError::State)?;
        if head.is_none_or(|head| head.sha256 != texts.hash()) && self.live.check(&texts).is_ok() {
            self.record_observed()?;
        }
        Ok(true)
    }
}
