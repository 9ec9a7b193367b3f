//! The changes that a user has collected: previews their effect, and adds operations.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value as Json;
use tokio::task::spawn_blocking;

use super::view::frame::Notice;
use super::view::parts::{Link, Tone};
use super::visit::Visit;
use crate::change::actor::{Actor, Via};
use crate::change::control::ChangeControl;
use crate::change::draft::{Draft, DraftId};
use crate::change::error::ChangeError;
use crate::change::operation::Operation;
use crate::change::preview::Preview;
use crate::change::submission::Submitted;
use crate::config::Config;
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
        let done = spawn_blocking(move || act(&changes, &actor)).await;
        done.unwrap_or_else(|error| {
            log::error!("a change of the console panicked: {error}");
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

    /// Adds operations to the user's draft, or creates a draft. The operations are JSON in the format of the
    /// API.
    pub(super) async fn add(&self, title: &str, operations: Vec<Json>) -> Result<Made, ChangeError> {
        let draft = self.workspace.own(&self.user.name).map(|draft| (draft.id.clone(), draft.revision));
        let title = title.to_owned();
        self.change(move |changes, actor| {
            let mut made = Made { secret: None, warnings: Vec::new() };
            let mut all: Vec<Operation> = Vec::with_capacity(operations.len());
            for operation in operations {
                let submitted = Submitted::read(operation, SystemTime::now())?;
                made.secret = submitted.secret.or(made.secret);
                made.warnings.extend(submitted.warning.map(str::to_owned));
                all.push(submitted.operation);
            }
            match draft {
                Some((id, revision)) => changes.add(actor, &id, revision, all)?,
                None => changes.begin(actor, &title, all)?,
            };
            Ok(made)
        })
        .await
    }

    /// Adds operations, and stores a notice for the next page.
    pub(super) async fn add_and_notify(&self, title: &str, operations: Vec<Json>) -> Result<(), ChangeError> {
        if operations.is_empty() {
            self.notify(Notice::new(
                Tone::Plain,
                "Nothing is different, so nothing was added to your changes.",
            ));
            return Ok(());
        }
        self.add(title, operations).await?;
        let link = Some(Link { url: "/changes".into(), text: "Review and commit".into() });
        self.notify(Notice { link, ..Notice::new(Tone::Good, "Added to your changes.") });
        Ok(())
    }

    /// Returns the draft that a form or an address names, or else the user's own.
    pub(super) fn draft(&self, named: &str) -> Option<&Draft> {
        match DraftId::parse(named) {
            Some(id) => self.workspace.drafts.iter().find(|draft| draft.id == id),
            None => self.workspace.own(&self.user.name),
        }
    }
}
