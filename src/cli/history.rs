//! `tollgate history`, `tollgate confirm` and `tollgate rollback`.

use std::path::Path;

use serde_json::json;

use crate::change::actor::Actor;
use crate::change::versions::{Version, VersionState};
use crate::cli::change::draft::{CommitArguments, commit_draft, committed_text, open};
use crate::cli::failure::Failure;
use crate::cli::output;

/// The most versions in one list.
const MOST: usize = 500;

/// The arguments of `tollgate history`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The number of the version to show. By default, the newest versions are listed.
    version: Option<u64>,
    /// The maximum number of versions in the list.
    #[arg(long, default_value_t = 20, value_name = "NUMBER", conflicts_with = "version")]
    last: usize,
    /// Print the text of the version, without credentials and hashes of secrets.
    #[arg(long, requires = "version")]
    text: bool,
    /// Print JSON, for scripts.
    #[arg(long, conflicts_with = "text")]
    json: bool,
}

/// The arguments of `tollgate confirm`.
#[derive(clap::Args)]
pub(super) struct ConfirmArguments {
    /// The number of the version to confirm.
    version: u64,
    /// Roll the version back now, instead of confirming it.
    #[arg(long)]
    undo: bool,
}

/// The arguments of `tollgate rollback`.
#[derive(clap::Args)]
pub(super) struct RollbackArguments {
    /// The number of the version to restore.
    version: u64,
    /// Restore the secrets and [admin] of the version too. By default, those of today stay, so that secrets
    /// that were reset do not become valid again.
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    commit: Option<CommitArguments>,
}

/// Shows the history.
pub(super) fn history(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let control = open(path)?;
    if let Some(number) = arguments.version {
        let version = control.version(number)?;
        if arguments.text {
            let texts = control.key().shown(&control.version_texts(number)?);
            let one = |(path, text): (&Path, &str)| {
                if version.files.len() > 1 {
                    format!("# {}\n{text}", path.display())
                } else {
                    text.to_owned()
                }
            };
            return output::print(&texts.iter().map(one).collect::<String>());
        }
        if arguments.json {
            return output::print(&output::json(&json!(version)));
        }
        return output::print(&described(&version));
    }
    let versions = control.history(None, arguments.last.min(MOST))?;
    if arguments.json {
        return output::print(&output::json(&json!(versions)));
    }
    let mut rows = vec![["VERSION", "TIME", "BY", "STATE", "COMMENT"].map(str::to_owned).to_vec()];
    rows.extend(versions.iter().map(|version| {
        let by = format!("{} ({})", version.actor, version.via.as_str());
        let comment = version.comment.lines().next().unwrap_or_default().to_owned();
        vec![version.number.to_string(), version.time.clone(), by, state(version).to_owned(), comment]
    }));
    output::print(&output::columns(&rows))
}

fn state(version: &Version) -> &'static str {
    match version.state {
        VersionState::Prepared => "prepared",
        VersionState::Applied => "applied",
        VersionState::Provisional => "waits for confirmation",
        VersionState::RolledBack => "rolled back",
        VersionState::Overtaken => "overtaken by an edit",
        VersionState::Abandoned => "abandoned",
    }
}

fn described(version: &Version) -> String {
    let mut text = format!(
        "Version {}: {}\n{}, by {} ({}): {}\n",
        version.number,
        state(version),
        version.time,
        version.actor,
        version.via.as_str(),
        version.comment
    );
    if let Some(until) = &version.confirm_by {
        text.push_str(&format!("To be confirmed by {until}\n"));
    }
    if !version.operations.is_empty() {
        text.push_str("\nChanges:\n");
        text.extend(version.operations.iter().map(|operation| format!("  {operation}\n")));
    }
    if !version.granted.is_empty() {
        text.push_str("\nWhat it granted (+) and took away (-):\n");
        let line = |text: &str, widens| format!("  {} {text}\n", if widens { "+" } else { "-" });
        text.extend(version.granted.iter().map(|granted| line(&granted.text, granted.widens)));
    }
    text
}

/// Confirms a commit, or rolls it back.
pub(super) fn confirm(path: &Path, arguments: &ConfirmArguments) -> Result<(), Failure> {
    let control = open(path)?;
    let actor = Actor::command_line();
    if arguments.undo {
        let version = control.undo(&actor, arguments.version)?;
        return output::print(&format!(
            "Version {} is rolled back. The configuration before it is version {}.\n",
            arguments.version, version.number
        ));
    }
    control.confirm(&actor, arguments.version)?;
    output::print(&format!("Version {} is confirmed.\n", arguments.version))
}

/// Makes a draft that returns to a version, and commits it if there is a comment.
pub(super) fn rollback(path: &Path, arguments: &RollbackArguments) -> Result<(), Failure> {
    let control = open(path)?;
    let actor = Actor::command_line();
    let draft = control.rollback(&actor, arguments.version, !arguments.with_secrets)?;
    match &arguments.commit {
        None => output::print(&format!(
            "{}\n\nThis draft returns to version {}. See what it grants, and commit it:\n\n  tollgate change show {0}\n  tollgate \
             change commit {0} --comment TEXT\n",
            draft.id, arguments.version
        )),
        Some(commit) => match commit_draft(&control, &actor, &draft, commit) {
            Ok(committed) => output::print(&committed_text(&committed)),
            Err(failure) => {
                control.discard(&actor, &draft.id, draft.revision)?;
                Err(failure)
            }
        },
    }
}
