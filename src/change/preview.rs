//! What a draft would change: texts, access, and whether it may be committed.

use std::time::SystemTime;

use super::actor::{Actor, Role};
use super::control::ChangeControl;
use super::difference_text::unified;
use super::draft::Draft;
use super::drafts::{allow, replay};
use super::error::ChangeError;
use super::hidden::HidingKey;
use super::operation::Operation;
use super::permission::{OwnerOnly, owner_only};
use super::texts::Texts;
use crate::access::difference::{Change, difference};
use crate::config::restart::needs_restart;
use crate::config::{Config, ConfigErrors};

/// What operations would change on the configuration of now.
#[derive(Debug)]
pub(crate) struct Preview {
    /// Whether the configuration was changed since the draft was begun. The operations are then shown on that of now, as a
    /// rebase would make them.
    pub(crate) stale: bool,
    /// The texts of now. Show them with [`HidingKey::shown`].
    pub(crate) before: Texts,
    /// The texts after the change. Show them with [`HidingKey::shown`].
    pub(crate) after: Texts,
    /// What only an owner may commit.
    pub(crate) owner_only: Vec<OwnerOnly>,
    /// What the change grants, widening first. `None` if one of the two configurations has errors, or if the actor may not
    /// have it compiled.
    pub(crate) grants: Option<Vec<Change>>,
    /// The configuration after the change. `None` if it has errors, or if the actor may not have it compiled.
    pub(crate) config: Option<Config>,
    /// The keys whose change takes effect only after a restart.
    pub(crate) needs_restart: Vec<String>,
    /// The errors that the changed configuration would have.
    pub(crate) errors: Option<ConfigErrors>,
}

impl Preview {
    /// Returns the difference of the texts as a unified diff that can be shown: no credentials, no hashes of secrets.
    pub(crate) fn diff(&self, key: &HidingKey) -> String {
        unified(&key.shown(&self.before), &key.shown(&self.after))
    }

    /// Returns the difference of the texts as a patch for the place where the configuration is kept. Credentials in it are
    /// hidden. It has the hashes of new secrets, so it is for editors and owners.
    pub(crate) fn patch(&self, key: &HidingKey) -> String {
        unified(&key.hide(&self.before), &key.hide(&self.after))
    }
}

impl ChangeControl {
    /// Returns what a draft would change.
    ///
    /// # Errors
    /// An operation cannot be made on the configuration of now, or the configuration is not TOML.
    pub(crate) fn preview(&self, actor: &Actor, draft: &Draft) -> Result<Preview, ChangeError> {
        let before = self.texts()?;
        let stale = before.hash() != draft.base;
        let after = replay(&draft.operations, &before)?;
        self.preview_texts(actor, before, after, stale)
    }

    /// Returns what operations would change, without a draft.
    ///
    /// # Errors
    /// As [`preview`](Self::preview), or the actor may not make such operations.
    pub(crate) fn preview_operations(
        &self,
        actor: &Actor,
        operations: &[Operation],
    ) -> Result<Preview, ChangeError> {
        if !operations.is_empty() {
            allow(actor, operations)?;
        }
        let before = self.texts()?;
        let after = replay(operations, &before)?;
        self.preview_texts(actor, before, after, false)
    }

    /// Returns what another version of the configuration than that of now would change. Nothing is kept of it.
    ///
    /// # Errors
    /// One of them is not TOML.
    pub(crate) fn preview_texts(
        &self,
        actor: &Actor,
        before: Texts,
        after: Texts,
        stale: bool,
    ) -> Result<Preview, ChangeError> {
        let owner_only = owner_only(&before, &after)?;
        let mut preview = Preview {
            stale,
            before,
            after,
            owner_only,
            grants: None,
            config: None,
            needs_restart: Vec::new(),
            errors: None,
        };
        // Compiling opens the files that a configuration names, and its errors say whether they exist.
        if !preview.owner_only.is_empty() && actor.role < Role::Owner {
            return Ok(preview);
        }
        match self.live.check(&preview.after) {
            Err(errors) => preview.errors = Some(errors),
            Ok(after) => {
                if let Ok(before) = self.live.check(&preview.before) {
                    preview.needs_restart = needs_restart(&before, &after);
                    preview.grants = Some(grants(&before, &after));
                }
                preview.config = Some(after);
            }
        }
        Ok(preview)
    }
}

/// Lists what changes from one configuration to another, widening first.
pub(super) fn grants(before: &Config, after: &Config) -> Vec<Change> {
    difference(before, after, SystemTime::now())
}
