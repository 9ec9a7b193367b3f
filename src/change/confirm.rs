//! Confirms provisional commits, and rolls back those that are not confirmed in time.

use std::time::SystemTime;

use super::actor::{Actor, Role, Via};
use super::audit::{AuditLine, Event};
use super::control::ChangeControl;
use super::drafts::allow;
use super::error::ChangeError;
use super::fault;
use super::operation::millis;
use super::unconfirmed::Unconfirmed;
use super::versions::{History, Version, VersionState};

impl ChangeControl {
    /// Returns the commit that awaits confirmation.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn unconfirmed(&self) -> Result<Option<Unconfirmed>, ChangeError> {
        Unconfirmed::read(&self.folder).map_err(ChangeError::State)
    }

    /// Confirms the commit of a version.
    ///
    /// # Errors
    /// Fails if that commit does not await confirmation, or if the actor may not confirm it.
    pub(crate) fn confirm(&self, actor: &Actor, number: u64) -> Result<Version, ChangeError> {
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        let waiting = self.waiting(actor, number)?;
        // A deadline that has passed is effective even before the rollback has run.
        if waiting.deadline <= millis(SystemTime::now()) {
            return Err(ChangeError::NotUnconfirmed);
        }
        let line = AuditLine::now(actor, Event::Confirm, "configuration", "confirmed").version(number);
        self.record(&line)?;
        Unconfirmed::remove(&self.folder).map_err(ChangeError::State)?;
        fault::point("confirmed");
        self.finish(number, VersionState::Applied)
    }

    /// Rolls back the commit of a version that awaits confirmation.
    ///
    /// # Errors
    /// Fails if that commit does not await confirmation, the actor may not roll it back, or the previous
    /// texts cannot be restored.
    pub(crate) fn undo(&self, actor: &Actor, number: u64) -> Result<Version, ChangeError> {
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        let waiting = self.waiting(actor, number)?;
        self.roll_back(&waiting, actor, "Rolled back before its confirmation")
    }

    /// Rolls back the commit that awaits confirmation if its deadline has passed. Does nothing while another
    /// change runs.
    ///
    /// # Errors
    /// Fails if the previous texts cannot be restored. The next call tries again.
    pub(crate) fn enforce_deadline(&self, now: SystemTime) -> Result<(), ChangeError> {
        if !self.folder.has_unconfirmed() {
            return Ok(());
        }
        let Some(_lock) = self.folder.try_lock().map_err(ChangeError::State)? else { return Ok(()) };
        self.enforce_deadline_locked(now)
    }

    /// Does the same as [`enforce_deadline`](Self::enforce_deadline), with the lock held by the caller.
    pub(super) fn enforce_deadline_locked(&self, now: SystemTime) -> Result<(), ChangeError> {
        let Some(waiting) = self.unconfirmed()? else { return Ok(()) };
        let now_in_place = self.texts()?.hash();
        if now_in_place == waiting.texts_before(&self.config).hash() {
            // The process ended after the rollback and before the rollback was recorded.
            return self.rolled_back(&waiting, &Actor::gateway(), "Not confirmed in time").map(drop);
        }
        if now_in_place != waiting.sha256 {
            return self.overtaken(&waiting);
        }
        if waiting.deadline > millis(now) {
            return Ok(());
        }
        self.roll_back(&waiting, &Actor::gateway(), "Not confirmed in time").map(drop)
    }

    /// Returns the commit that awaits confirmation, if it has this version and the actor may decide about it.
    fn waiting(&self, actor: &Actor, number: u64) -> Result<Unconfirmed, ChangeError> {
        allow(actor, &[])?;
        let waiting = self.unconfirmed()?.filter(|waiting| waiting.version == number);
        let waiting = waiting.ok_or(ChangeError::NotUnconfirmed)?;
        if (&waiting.actor, waiting.via) != (&actor.name, Some(actor.via)) && actor.role < Role::Owner {
            return Err(ChangeError::NotYours(waiting.actor));
        }
        Ok(waiting)
    }

    /// Restores the texts before a commit.
    fn roll_back(&self, waiting: &Unconfirmed, actor: &Actor, comment: &str) -> Result<Version, ChangeError> {
        let now = self.texts()?;
        if now.hash() != waiting.sha256 {
            self.overtaken(waiting)?;
            return Err(ChangeError::NotUnconfirmed);
        }
        // The deadline is enforced even if the audit cannot be written, because it was decided with the
        // commit.
        let line = AuditLine::now(actor, Event::Rollback, "configuration", "rolled back");
        if let Err(error) = self.audit.record(&line.version(waiting.version).detail(comment)) {
            log::error!("the rollback of version {} is not in the audit: {error}", waiting.version);
        }
        self.swap(waiting.version, &now, &waiting.texts_before(&self.config))?;
        fault::point("rolled-back");
        self.rolled_back(waiting, actor, comment)
    }

    /// Records that the texts before a commit were restored.
    fn rolled_back(
        &self,
        waiting: &Unconfirmed,
        actor: &Actor,
        comment: &str,
    ) -> Result<Version, ChangeError> {
        self.finish(waiting.version, VersionState::RolledBack)?;
        let comment = format!("Version {} is rolled back: {comment}", waiting.version);
        let version = self.observe(actor.via, &actor.name, &comment)?;
        Unconfirmed::remove(&self.folder).map_err(ChangeError::State)?;
        log::warn!("the configuration before version {} was restored: {comment}", waiting.version);
        version.map_or_else(|| self.version(waiting.version), Ok)
    }

    /// Records that the configuration was edited from outside while a commit awaited confirmation.
    fn overtaken(&self, waiting: &Unconfirmed) -> Result<(), ChangeError> {
        log::warn!(
            "version {} no longer waits for a confirmation, because the configuration was edited; it stays as it is",
            waiting.version
        );
        self.finish(waiting.version, VersionState::Overtaken)?;
        Unconfirmed::remove(&self.folder).map_err(ChangeError::State)?;
        self.observe(Via::File, "file", "Edited outside of the gateway").map(drop)
    }

    /// Writes the new status of a version.
    pub(super) fn finish(&self, number: u64, state: VersionState) -> Result<Version, ChangeError> {
        let mut version = self.version(number)?;
        version.state = state;
        History(&self.folder).update(&version).map_err(ChangeError::State)?;
        Ok(version)
    }
}
