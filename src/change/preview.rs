//! The effect of a draft: changed texts, changed access, and whether it may be committed.

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
use crate::config::{Config, ConfigError, ConfigErrors};

/// The effect of operations on the current configuration.
#[derive(Debug)]
pub(crate) struct Preview {
    /// Whether the configuration was changed after the draft was created. The preview then applies the
    /// operations to the current configuration, as a rebase would.
    pub(crate) stale: bool,
    /// The current texts. Show them with [`HidingKey::shown`].
    pub(crate) before: Texts,
    /// The texts after the change. Show them with [`HidingKey::shown`].
    pub(crate) after: Texts,
    /// The differences that only an owner may commit.
    pub(crate) owner_only: Vec<OwnerOnly>,
    /// The differences in access, the wider access first. `None` if one of the configurations has errors, or
    /// if the actor may not have it compiled.
    pub(crate) grants: Option<Vec<Change>>,
    /// The configuration after the change. `None` if it has errors, or if the actor may not have it compiled.
    pub(crate) config: Option<Config>,
    /// The keys whose change takes effect only after a restart.
    pub(crate) needs_restart: Vec<String>,
    /// The errors that the changed configuration would have.
    pub(crate) errors: Option<ConfigErrors>,
}

impl Preview {
    /// Returns the difference of the texts as a unified diff that is safe to show: without credentials and
    /// hashes of secrets.
    pub(crate) fn diff(&self, key: &HidingKey) -> String {
        unified(&key.shown(&self.before), &key.shown(&self.after))
    }

    /// Returns the difference of the texts as a patch for the repository of the configuration. Credentials in
    /// it are hidden. It contains the hashes of new secrets, so only editors and owners may see it.
    pub(crate) fn patch(&self, key: &HidingKey) -> String {
        unified(&key.hide(&self.before), &key.hide(&self.after))
    }
}

impl ChangeControl {
    /// Returns the effect of a draft.
    ///
    /// # Errors
    /// Fails if an operation cannot be applied to the current configuration, or if the configuration is not
    /// valid TOML.
    pub(crate) fn preview(&self, actor: &Actor, draft: &Draft) -> Result<Preview, ChangeError> {
        let before = self.texts()?;
        let stale = before.hash() != draft.base;
        let after = replay(&draft.operations, &before)?;
        self.preview_texts(actor, before, after, stale)
    }

    /// Returns the effect of operations, without a draft.
    ///
    /// # Errors
    /// As [`preview`](Self::preview), or the actor may not make such operations.
    pub(crate) fn preview_operations(
        &self,
        actor: &Actor,
        operations: Vec<Operation>,
    ) -> Result<Preview, ChangeError> {
        if !operations.is_empty() {
            allow(actor, &operations)?;
        }
        let before = self.texts()?;
        let after = replay(&self.refilled(operations, &before)?, &before)?;
        self.preview_texts(actor, before, after, false)
    }

    /// Returns the errors that operations would add to those of a draft. Nothing is stored. The list is empty
    /// if the actor may not have the result compiled.
    ///
    /// # Errors
    /// Fails if the actor may not make such operations, or if one cannot be applied.
    pub(crate) fn errors_of(
        &self,
        actor: &Actor,
        draft: Option<&Draft>,
        operations: Vec<Operation>,
    ) -> Result<Vec<ConfigError>, ChangeError> {
        allow(actor, &operations)?;
        let before = self.texts()?;
        let planned = replay(draft.map_or(&[], |draft| &draft.operations), &before)?;
        // Compiling opens the files that a configuration names.
        let may_compile = actor.role >= Role::Owner || owner_only(&before, &planned)?.is_empty();
        let after = replay(&self.refilled(operations, &planned)?, &planned)?;
        let Some(errors) = self.preview_texts(actor, before, after, false)?.errors else {
            return Ok(Vec::new());
        };
        let known = if may_compile { self.live.check(&planned).err() } else { None };
        let known: Vec<&ConfigError> = known.iter().flat_map(ConfigErrors::iter).collect();
        let is_known =
            |error: &ConfigError| known.iter().any(|k| (&k.key, &k.message) == (&error.key, &error.message));
        Ok(errors.iter().filter(|error| !is_known(error)).cloned().collect())
    }

    /// Returns the effect of replacing the current configuration by another version. Nothing is stored.
    ///
    /// # Errors
    /// Fails if one of them is not valid TOML.
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
        // Compiling opens the files that a configuration names, and the errors reveal whether they exist.
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

/// Lists the differences in access from one configuration to another, the wider access first.
pub(super) fn grants(before: &Config, after: &Config) -> Vec<Change> {
    difference(before, after, SystemTime::now())
}
