//! Functions on drafts that several commands share.

use std::path::Path;
use std::time::Duration;

use crate::change::actor::Actor;
use crate::change::commit::Committed;
use crate::change::control::ChangeControl;
use crate::change::draft::{Draft, DraftId};
use crate::change::error::ChangeError;
use crate::cli::failure::Failure;
use crate::config::parse_duration;
use crate::gateway::change_control;

/// The arguments of a commit.
#[derive(clap::Args)]
pub(in crate::cli) struct CommitArguments {
    /// Why the change is made.
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub(super) comment: String,
    /// Roll the change back after this time, such as 10m, unless `tollgate confirm` confirms it.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) confirm_within: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| format!("{error}: write it with its unit, such as 10m"))
}

/// Opens the staged changes of a configuration.
pub(in crate::cli) fn open(path: &Path) -> Result<ChangeControl, Failure> {
    Ok(change_control::of_command(path)?)
}

/// Returns a draft.
pub(super) fn find(control: &ChangeControl, id: &str) -> Result<Draft, Failure> {
    let id = DraftId::parse(id).ok_or(ChangeError::NotFound("draft"))?;
    Ok(control.draft(&id)?)
}

/// Commits a draft.
pub(in crate::cli) fn commit_draft(
    control: &ChangeControl,
    actor: &Actor,
    draft: &Draft,
    arguments: &CommitArguments,
) -> Result<Committed, Failure> {
    let CommitArguments { comment, confirm_within } = arguments;
    Ok(control.commit(actor, &draft.id, draft.revision, comment, *confirm_within)?)
}

/// Prints the result of a commit.
pub(in crate::cli) fn committed_text(committed: &Committed) -> String {
    let version = &committed.version;
    let mut text =
        format!("Version {} is in place. A running gateway applies it within 2 seconds.\n", version.number);
    if let Some(until) = &version.confirm_by {
        text.push_str(&format!(
            "It is rolled back at {until} unless it is confirmed:\n\n  tollgate confirm {}\n",
            version.number
        ));
    }
    text
}
