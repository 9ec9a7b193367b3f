//! Commits: a draft replaces the configuration completely or not at all.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::actor::{Actor, Role, Via};
use super::audit::{AuditLine, Event};
use super::config_file::replace;
use super::control::ChangeControl;
use super::draft::{DraftId, Drafts};
use super::drafts::{allow, replay};
use super::error::ChangeError;
use super::fault;
use super::file::FileError;
use super::operation::{Operation, millis};
use super::permission::{OwnerOnly, owner_only};
use super::preview::grants;
use super::raw;
use super::state;
use super::texts::Texts;
use super::unconfirmed::Unconfirmed;
use super::versions::{Granted, History, MAX_GRANTED, Version, VersionState};
use crate::config::Config;
use crate::utc;

/// The range of accepted confirmation times.
const CONFIRM_WITHIN: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(86_400);
/// The most characters of a comment.
const MAX_COMMENT: usize = 1_000;

/// The result of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The version that the commit created.
    pub(crate) version: Version,
    /// The number of the configuration in this process. `None` if the gateway runs in another process.
    pub(crate) generation: Option<u64>,
}

/// The texts to commit, and their author.
pub(super) struct Commitment<'a> {
    pub(super) actor: &'a Actor,
    pub(super) comment: &'a str,
    pub(super) confirm_within: Option<Duration>,
    pub(super) before: Texts,
    pub(super) after: Texts,
    pub(super) operations: &'a [Operation],
}

/// The files of a commit that replaces several of them. A crash in between leaves some old and some new
/// files. The next start restores the old ones.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) version: u64,
    /// The name, the text before and the text after.
    pub(super) files: Vec<(PathBuf, String, String)>,
}

impl ChangeControl {
    /// Commits a draft. With `confirm_within`, the commit is rolled back after that time unless a user
    /// confirms it.
    ///
    /// # Errors
    /// Returns the reason why the draft cannot be committed. The configuration is then unchanged.
    pub(crate) fn commit(
        &self,
        actor: &Actor,
        id: &DraftId,
        revision: u64,
        comment: &str,
        confirm_within: Option<Duration>,
    ) -> Result<Committed, ChangeError> {
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        let draft = self.own_draft(actor, id, revision)?;
        allow(actor, &draft.operations)?;
        let before = self.texts()?;
        if before.hash() != draft.base {
            return Err(ChangeError::StaleBase);
        }
        let after = replay(&draft.operations, &before)?;
        let operations = &draft.operations;
        let committed =
            self.commit_texts(Commitment { actor, comment, confirm_within, before, after, operations })?;
        Drafts(&self.folder).remove(id).map_err(ChangeError::State)?;
        Ok(committed)
    }

    /// Collects operations and commits them in one call.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn change(
        &self,
        actor: &Actor,
        operations: &[Operation],
        comment: &str,
        confirm_within: Option<Duration>,
    ) -> Result<Committed, ChangeError> {
        allow(actor, operations)?;
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        let before = self.texts()?;
        let operations = &self.refilled(operations.to_vec(), &before)?;
        let after = replay(operations, &before)?;
        self.commit_texts(Commitment { actor, comment, confirm_within, before, after, operations })
    }

    /// Replaces the configuration. The lock must be held.
    pub(super) fn commit_texts(&self, commitment: Commitment<'_>) -> Result<Committed, ChangeError> {
        let Commitment { actor, comment, confirm_within, before, after, operations } = commitment;
        let comment = comment.trim();
        if comment.is_empty() || comment.chars().count() > MAX_COMMENT || comment.contains('\0') {
            return Err(ChangeError::Comment);
        }
        if confirm_within.is_some_and(|time| !CONFIRM_WITHIN.contains(&time)) {
            return Err(ChangeError::ConfirmWithin);
        }
        if let Some(waiting) = Unconfirmed::read(&self.folder).map_err(ChangeError::State)? {
            return Err(ChangeError::Unconfirmed(waiting.version));
        }
        if before == after {
            return Err(ChangeError::Nothing);
        }
        if is_read_only(&before)? {
            return Err(ChangeError::ReadOnly);
        }
        self.permit(actor, owner_only(&before, &after)?)?;
        let config = self.live.check(&after).map_err(ChangeError::Invalid)?;
        let config_before = self.live.check(&before).ok();
        // The earlier check found no references to other files. This check also covers keys that later
        // versions of the configuration may add.
        let known = config_before.as_ref().map(|config| config.files.as_slice()).unwrap_or_default();
        let others = config.files.iter().filter(|file| !known.contains(file));
        self.permit(actor, others.map(|file| OwnerOnly::File { key: file.display().to_string() }).collect())?;
        let users = |config: &Config| -> Vec<String> {
            config.admin.iter().flat_map(|admin| &admin.users).map(|user| user.name.clone()).collect()
        };
        let mut removed_users = config_before.as_ref().map(users).unwrap_or_default();
        removed_users.retain(|name| !users(&config).contains(name));
        let granted = config_before.map(|before| grants(&before, &config)).unwrap_or_default();
        // The present configuration must be in the history before it is replaced.
        self.observe(Via::File, "file", "Edited outside of the gateway")?;
        let history = History(&self.folder);
        let head = history.head().map_err(ChangeError::State)?;
        let now = SystemTime::now();
        let deadline = confirm_within.map(|time| millis(now + time));
        let confirm_by =
            deadline.map(|deadline| utc::at(UNIX_EPOCH + Duration::from_millis(deadline)).to_string());
        let mut version = Version {
            number: history.next().map_err(ChangeError::State)?,
            parent: head.map(|head| head.number),
            state: VersionState::Prepared,
            time: utc::at(now).to_string(),
            actor: actor.name.clone(),
            role: actor.role,
            via: actor.via,
            comment: comment.to_owned(),
            sha256: after.hash(),
            parent_sha256: before.hash(),
            files: after.iter().map(|(path, _)| after.name(path)).collect(),
            confirm_by,
            operations: operations.iter().map(ToString::to_string).collect(),
            granted: granted.iter().take(MAX_GRANTED).map(Granted::of).collect(),
        };
        let line = |outcome| {
            AuditLine::now(actor, Event::Commit, "configuration", outcome)
                .version(version.number)
                .detail(comment)
        };
        self.record(&line("begun"))?;
        let (applied, provisional, failed) = (line("applied"), line("provisional"), line("failed"));
        fault::point("begun");
        history.create(&version, &self.key.hide(&after)).map_err(ChangeError::State)?;
        fault::point("prepared");
        let put = self.put_in_place(&version, deadline, actor, &before, &after);
        let generation = match put {
            Ok(generation) => generation,
            Err(error) => {
                version.state = VersionState::Abandoned;
                let _ = history.update(&version);
                let _ = self.record(&failed.detail(error.name()));
                return Err(error);
            }
        };
        fault::point("applied");
        version.state = if deadline.is_some() { VersionState::Provisional } else { VersionState::Applied };
        // The configuration is in force. The next start recovers from a failure after this point.
        let recorded = history.update(&version).and_then(|()| history.prune());
        fault::point("recorded");
        // Another user who gets the same name later must not get these drafts.
        let discarded = Drafts(&self.folder).remove_of(&removed_users);
        let audited = self.audit.record(if deadline.is_some() { &provisional } else { &applied });
        for error in [recorded.err(), audited.err(), discarded.err()].into_iter().flatten() {
            log::error!("version {} is in force, and this could not be recorded: {error}", version.number);
        }
        Ok(Committed { version, generation })
    }

    /// Refuses differences that only an owner may commit, and records the refusal.
    fn permit(&self, actor: &Actor, differences: Vec<OwnerOnly>) -> Result<(), ChangeError> {
        if differences.is_empty() || actor.role == Role::Owner {
            return Ok(());
        }
        let reasons: Vec<String> = differences.iter().map(ToString::to_string).collect();
        let line = AuditLine::now(actor, Event::Refusal, "commit", "refused");
        self.record(&line.detail(&reasons.join("; ")))?;
        Err(ChangeError::OwnerOnly(differences))
    }

    fn put_in_place(
        &self,
        version: &Version,
        deadline: Option<u64>,
        actor: &Actor,
        before: &Texts,
        after: &Texts,
    ) -> Result<Option<u64>, ChangeError> {
        if let Some(deadline) = deadline {
            let waiting = Unconfirmed {
                version: version.number,
                deadline,
                actor: actor.name.clone(),
                via: Some(actor.via),
                role: actor.role,
                sha256: version.sha256.clone(),
                before: before.named(),
            };
            waiting.write(&self.folder).map_err(ChangeError::State)?;
            fault::point("armed");
        }
        let outcome = self.swap(version.number, before, after);
        if outcome.is_err() && deadline.is_some() {
            Unconfirmed::remove(&self.folder).map_err(ChangeError::State)?;
        }
        outcome
    }

    /// Replaces the files and applies them. If that fails, the old texts are restored.
    pub(super) fn swap(
        &self,
        version: u64,
        before: &Texts,
        after: &Texts,
    ) -> Result<Option<u64>, ChangeError> {
        let files = after.changed(before);
        if files.len() > 1 {
            let own = |(path, old, new): &(&std::path::Path, &str, &str)| {
                (after.name(path), (*old).to_owned(), (*new).to_owned())
            };
            let pending = Pending { version, files: files.iter().map(own).collect() };
            write_json(&self.folder.pending(), &pending).map_err(ChangeError::State)?;
            fault::point("pending");
        }
        let mut replaced = Vec::new();
        let mut replace_all = || -> Result<(), ChangeError> {
            for (path, old, new) in &files {
                replace(path, old, new).map_err(|error| match error {
                    FileError::ChangedMeanwhile => ChangeError::StaleBase,
                    error => ChangeError::File(error),
                })?;
                replaced.push((*path, *old, *new));
                fault::point("replaced");
            }
            Ok(())
        };
        let outcome = self.live.apply(after, &mut replace_all);
        if outcome.is_err() {
            for (path, old, new) in replaced.into_iter().rev() {
                if let Err(error) = replace(path, new, old) {
                    log::error!("{} is not restored: it {error}", path.display());
                }
            }
        }
        if files.len() > 1 {
            state::remove(&self.folder.pending()).map_err(ChangeError::State)?;
        }
        outcome
    }
}

/// Returns whether the configuration declares that it is managed elsewhere.
fn is_read_only(texts: &Texts) -> Result<bool, ChangeError> {
    let root = raw::merged(texts)?;
    Ok(root.get("admin").and_then(|admin| admin.get("read_only")) == Some(&Json::Bool(true)))
}

fn write_json(path: &std::path::Path, value: &impl Serialize) -> io::Result<()> {
    state::write(path, &serde_json::to_vec(value)?)
}
