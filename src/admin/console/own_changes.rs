//! The changes that a user has collected: previews their effect, and adds operations.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value as Json;

use super::view::frame::Notice;
use super::view::parts::{Link, Tone};
use super::visit::Visit;
use crate::admin::blocking::run_blocking;
use crate::change::actor::{Actor, Via};
use crate::change::control::ChangeControl;
use crate::change::draft::{Draft, DraftId};
use crate::change::error::ChangeError;
use crate::change::operation::Operation;
use crate::change::preview::Preview;
use crate::change::submission::Submitted;
use crate::change::texts::Texts;
use crate::config::{Config, ConfigError};
use crate::oauth::secret::Secret;

/// The data that an operation returns to be shown once.
pub(super) struct Made {
    pub(super) secret: Option<Secret>,
    pub(super) warnings: Vec<String>,
}

impl Visit {
    /// Returns the user as the author of changes.
    pub(super) fn actor(&self) -> Actor {
        let address = Some(self.user.peer.client.ip().to_canonical());
        Actor { name: self.user.name.clone(), role: self.user.role, via: Via::Console, address }
    }

    /// Runs a function on the staged changes, on a thread that may block.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&ChangeControl, &Actor) -> Result<T, ChangeError> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let (changes, actor) = (Arc::clone(self.admin.changes()), self.actor());
        let done = run_blocking(move || act(&changes, &actor)).await;
        done.unwrap_or_else(|| {
            Err(ChangeError::State(std::io::Error::other("an internal error; the log has it")))
        })
    }

    /// Returns the effect of the user's draft, or `None` if there is no draft or its operations can no longer
    /// be applied.
    pub(super) async fn preview(&self) -> Option<Preview> {
        let draft = self.workspace.own(&self.user.name)?.clone();
        self.change(move |changes, actor| changes.preview(actor, &draft)).await.ok()
    }

    /// Returns the configuration that the user's draft would produce, which forms and lists show. Without a
    /// draft, or if the draft has errors, this is the configuration in force.
    pub(super) async fn planned(&self) -> Arc<Config> {
        match self.preview().await.and_then(|preview| preview.config) {
            Some(config) => Arc::new(config),
            None => self.config(),
        }
    }

    /// Returns the texts that the user's draft would produce, without credentials. Without a draft, or if it
    /// can no longer be applied, these are the current texts.
    pub(super) async fn planned_texts(&self) -> Result<Texts, ChangeError> {
        let planned = self.preview().await.map(|preview| preview.after);
        self.change(move |changes, _| match planned {
            Some(texts) => Ok(changes.key().shown(&texts)),
            None => Ok(changes.key().shown(&changes.texts()?)),
        })
        .await
    }

    /// Returns the errors that operations would add to the configuration of the user's draft.
    pub(super) async fn errors_of(
        &self,
        operations: Vec<Operation>,
    ) -> Result<Vec<ConfigError>, ChangeError> {
        let draft = self.workspace.own(&self.user.name).cloned();
        self.change(move |changes, actor| changes.errors_of(actor, draft.as_ref(), operations)).await
    }

    /// Adds operations to the user's draft, or creates a draft. The operations are JSON in the format of the
    /// API.
    pub(super) async fn add(&self, title: &str, operations: Vec<Json>) -> Result<Made, ChangeError> {
        let (draft, title) = (self.own_draft(), title.to_owned());
        self.change(move |changes, actor| {
            let mut made = Made { secret: None, warnings: Vec::new() };
            let mut all: Vec<Operation> = Vec::with_capacity(operations.len());
            for operation in operations {
                let submitted = Submitted::read(operation, actor.role, SystemTime::now())?;
                made.secret = submitted.secret.or(made.secret);
                made.warnings.extend(submitted.warning.map(str::to_owned));
                all.push(submitted.operation);
            }
            put(changes, actor, draft, &title, all)?;
            Ok(made)
        })
        .await
    }

    /// Adds operations in the format of the API, and stores a notice for the next page.
    pub(super) async fn add_and_notify(&self, title: &str, operations: Vec<Json>) -> Result<(), ChangeError> {
        let count = operations.len();
        if count > 0 {
            self.add(title, operations).await?;
        }
        self.notify_added(count);
        Ok(())
    }

    /// Adds operations, and stores a notice for the next page.
    pub(super) async fn add_operations(
        &self,
        title: &str,
        operations: Vec<Operation>,
    ) -> Result<(), ChangeError> {
        let count = operations.len();
        if count > 0 {
            let (draft, title) = (self.own_draft(), title.to_owned());
            self.change(move |changes, actor| put(changes, actor, draft, &title, operations)).await?;
        }
        self.notify_added(count);
        Ok(())
    }

    /// Returns the draft that forms add to, and its revision.
    fn own_draft(&self) -> Option<(DraftId, u64)> {
        self.workspace.own(&self.user.name).map(|draft| (draft.id.clone(), draft.revision))
    }

    fn notify_added(&self, count: usize) {
        if count == 0 {
            let text = "Nothing is different, so nothing was added to your changes.";
            self.notify(Notice::new(Tone::Plain, text));
        } else {
            let link = Some(Link { url: "/changes".into(), text: "Review and commit".into() });
            self.notify(Notice { link, ..Notice::new(Tone::Good, "Added to your changes.") });
        }
    }

    /// Returns the draft that a form or an address names, or else the user's own.
    pub(super) fn draft(&self, named: &str) -> Option<&Draft> {
        match DraftId::parse(named) {
            Some(id) => self.workspace.drafts.iter().find(|draft| draft.id == id),
            None => self.workspace.own(&self.user.name),
        }
    }
}

/// Appends operations to a draft, or creates one.
fn put(
    changes: &ChangeControl,
    actor: &Actor,
    draft: Option<(DraftId, u64)>,
    title: &str,
    operations: Vec<Operation>,
) -> Result<(), ChangeError> {
    match draft {
        Some((id, revision)) => changes.add(actor, &id, revision, operations).map(drop),
        None => changes.begin(actor, title, operations).map(drop),
    }
}
