//! Creates, changes and discards drafts.

use std::time::SystemTime;

use super::actor::{Actor, Role};
use super::audit::{AuditLine, Event};
use super::conflict::Conflict;
use super::control::ChangeControl;
use super::document::Document;
use super::draft::{Draft, DraftId, Drafts, MAX_DRAFTS, MAX_OPERATIONS, MAX_TITLE};
use super::error::ChangeError;
use super::operation::{Operation, millis};
use super::settings::Settings;
use super::texts::Texts;

impl ChangeControl {
    /// Lists all drafts, the most recently changed one first.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub(crate) fn drafts(&self) -> Result<Vec<Draft>, ChangeError> {
        Drafts(&self.folder).all().map_err(ChangeError::State)
    }

    /// Lists the drafts whose files cannot be read. They do not count, and can only be discarded.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub(crate) fn damaged_drafts(&self) -> Result<Vec<DraftId>, ChangeError> {
        Drafts(&self.folder).damaged().map_err(ChangeError::State)
    }

    /// Checks that an actor may change a draft, and that it has this revision. The check is repeated when it
    /// is changed.
    ///
    /// # Errors
    /// Fails if the draft does not exist or has another revision, or if the actor may not change it.
    pub(crate) fn check_revision(
        &self,
        actor: &Actor,
        id: &DraftId,
        revision: u64,
    ) -> Result<(), ChangeError> {
        self.own_draft(actor, id, revision).map(drop)
    }

    /// Returns a draft. Every user who may sign in may read drafts: show operations with
    /// [`shown`](Operation::shown) and texts with [`HidingKey::shown`](super::hidden::HidingKey::shown).
    ///
    /// # Errors
    /// Fails if the draft does not exist.
    pub(crate) fn draft(&self, id: &DraftId) -> Result<Draft, ChangeError> {
        Drafts(&self.folder).get(id).map_err(ChangeError::State)?.ok_or(ChangeError::NotFound("draft"))
    }

    /// Creates a draft that is based on the current configuration.
    ///
    /// # Errors
    /// Fails if the actor may not change anything, or if there are too many drafts.
    pub(crate) fn begin(
        &self,
        actor: &Actor,
        title: &str,
        operations: Vec<Operation>,
    ) -> Result<Draft, ChangeError> {
        allow(actor, &operations)?;
        if operations.len() > MAX_OPERATIONS {
            return Err(ChangeError::TooMany("changes in a draft", MAX_OPERATIONS));
        }
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        let drafts = Drafts(&self.folder);
        if drafts.all().map_err(ChangeError::State)?.len() >= MAX_DRAFTS {
            return Err(ChangeError::TooMany("drafts", MAX_DRAFTS));
        }
        let texts = self.texts()?;
        let operations = self.refilled(operations, &texts)?;
        replay(&operations, &texts)?;
        let now = millis(SystemTime::now());
        let draft = Draft {
            id: DraftId::random().map_err(ChangeError::State)?,
            owner: actor.name.clone(),
            via: Some(actor.via),
            title: title.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect(),
            base: texts.hash(),
            revision: 1,
            created: now,
            changed: now,
            operations,
        };
        draft.check_size()?;
        self.record(&AuditLine::now(actor, Event::Draft, draft.id.as_str(), "begun"))?;
        drafts.put(&draft).map_err(ChangeError::State)?;
        Ok(draft)
    }

    /// Changes the title of a draft.
    ///
    /// # Errors
    /// Fails if the draft has another revision, or if the actor may not change it.
    pub(crate) fn rename(
        &self,
        actor: &Actor,
        id: &DraftId,
        revision: u64,
        title: &str,
    ) -> Result<Draft, ChangeError> {
        self.change_draft(actor, id, revision, "renamed", |draft| {
            draft.title = title.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect();
            Ok(())
        })
    }

    /// Appends operations to a draft.
    ///
    /// # Errors
    /// Fails if an operation cannot be applied after the others, if the draft has another revision or would
    /// have too many operations, or if the actor may not do this.
    pub(crate) fn add(
        &self,
        actor: &Actor,
        id: &DraftId,
        revision: u64,
        operations: Vec<Operation>,
    ) -> Result<Draft, ChangeError> {
        allow(actor, &operations)?;
        self.change_draft(actor, id, revision, "changed", |draft| {
            let texts = self.texts()?;
            let planned = replay(&draft.operations, &texts)?;
            draft.operations.extend(self.refilled(operations, &planned)?);
            if draft.operations.len() > MAX_OPERATIONS {
                return Err(ChangeError::TooMany("changes in a draft", MAX_OPERATIONS));
            }
            replay(&draft.operations, &texts).map(drop)
        })
    }

    /// Removes an operation from a draft. Operations are counted from 0.
    ///
    /// # Errors
    /// Fails if a later operation needs it, if there is no such operation, if the draft has another revision,
    /// or if the actor may not do this.
    pub(crate) fn remove_operation(
        &self,
        actor: &Actor,
        id: &DraftId,
        revision: u64,
        index: usize,
    ) -> Result<Draft, ChangeError> {
        self.change_draft(actor, id, revision, "changed", |draft| {
            if index >= draft.operations.len() {
                return Err(ChangeError::NotFound("change in the draft"));
            }
            draft.operations.remove(index);
            replay(&draft.operations, &self.texts()?).map(drop)
        })
    }

    /// Rebases a draft: its operations are applied to the current configuration. Edits by hand since then are
    /// preserved.
    ///
    /// # Errors
    /// Fails if an operation cannot be applied, if the draft has another revision, or if the actor may not do
    /// this.
    pub(crate) fn rebase(&self, actor: &Actor, id: &DraftId, revision: u64) -> Result<Draft, ChangeError> {
        self.change_draft(actor, id, revision, "rebased", |draft| {
            let texts = self.texts()?;
            replay(&draft.operations, &texts)?;
            draft.base = texts.hash();
            Ok(())
        })
    }

    /// Discards a draft, or a damaged file of one.
    ///
    /// # Errors
    /// Fails if the draft has another revision, or if the actor may not do this.
    pub(crate) fn discard(&self, actor: &Actor, id: &DraftId, revision: u64) -> Result<(), ChangeError> {
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        // Nobody can read a damaged draft, so it has no owner and no revision.
        if Drafts(&self.folder).is_damaged(id).map_err(ChangeError::State)? {
            allow(actor, &[])?;
        } else {
            self.own_draft(actor, id, revision)?;
        }
        self.record(&AuditLine::now(actor, Event::Draft, id.as_str(), "discarded"))?;
        Drafts(&self.folder).remove(id).map_err(ChangeError::State)
    }

    /// Replaces placeholders by the credentials that they represent, because the editor of a text or of a
    /// table sees it without credentials.
    pub(super) fn refilled(
        &self,
        mut operations: Vec<Operation>,
        today: &Texts,
    ) -> Result<Vec<Operation>, ChangeError> {
        for (index, operation) in operations.iter_mut().enumerate() {
            let refilled = match operation {
                Operation::ReplaceText { text, .. } => {
                    let texts = Texts::new(vec![(Default::default(), std::mem::take(text))]);
                    let filled = self.key.refill(&texts, today, false);
                    filled.map(|filled| filled.main().clone_into(text))
                }
                Operation::RouteAdd { route: settings } | Operation::RouteSet { settings, .. } => {
                    self.refill_settings("routes", settings, today)
                }
                Operation::UpstreamAdd { name, settings } | Operation::UpstreamSet { name, settings } => {
                    self.refill_settings(&format!("upstreams.{name}"), settings, today)
                }
                _ => Ok(()),
            };
            refilled.map_err(|conflict| ChangeError::Conflict(index, conflict))?;
        }
        Ok(operations)
    }

    fn refill_settings(&self, path: &str, settings: &mut Settings, today: &Texts) -> Result<(), Conflict> {
        settings
            .iter_mut()
            .try_for_each(|(key, value)| self.key.refill_json(&format!("{path}.{key}"), value, today))
    }

    fn change_draft(
        &self,
        actor: &Actor,
        id: &DraftId,
        revision: u64,
        outcome: &str,
        change: impl FnOnce(&mut Draft) -> Result<(), ChangeError>,
    ) -> Result<Draft, ChangeError> {
        let _lock = self.folder.lock().map_err(ChangeError::State)?;
        let mut draft = self.own_draft(actor, id, revision)?;
        change(&mut draft)?;
        draft.check_size()?;
        draft.revision += 1;
        draft.changed = millis(SystemTime::now());
        self.record(&AuditLine::now(actor, Event::Draft, id.as_str(), outcome))?;
        Drafts(&self.folder).put(&draft).map_err(ChangeError::State)?;
        Ok(draft)
    }

    /// Returns a draft with this revision that the actor may change. Before a change, the caller must hold
    /// the lock.
    pub(super) fn own_draft(&self, actor: &Actor, id: &DraftId, revision: u64) -> Result<Draft, ChangeError> {
        allow(actor, &[])?;
        let draft = self.draft(id)?;
        if !draft.is_of(&actor.name, actor.via) && actor.role < Role::Owner {
            return Err(ChangeError::NotYours(draft.owner));
        }
        if draft.revision != revision {
            return Err(ChangeError::Revision(draft.revision));
        }
        Ok(draft)
    }
}

/// Checks that an actor may make operations of these kinds at all.
pub(super) fn allow(actor: &Actor, operations: &[Operation]) -> Result<(), ChangeError> {
    let needed = operations.iter().map(Operation::role).fold(Role::Editor, Ord::max);
    if actor.role < needed { Err(ChangeError::Role(needed)) } else { Ok(()) }
}

/// Applies operations to texts.
pub(super) fn replay(operations: &[Operation], texts: &Texts) -> Result<Texts, ChangeError> {
    let mut document = Document::new(texts);
    for (index, operation) in operations.iter().enumerate() {
        operation.apply(&mut document).map_err(|conflict| ChangeError::Conflict(index, conflict))?;
    }
    Ok(document.texts())
}
