//! `tollgate change …`: drafts of changes, their effect on access, and their commit.

pub(super) mod draft;
mod show;

use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use clap::Subcommand;
use serde_json::{Value, json};

use self::draft::{CommitArguments, commit_draft, committed_text, find, open};
use crate::change::actor::{Actor, Role};
use crate::change::control::ChangeControl;
use crate::change::error::ChangeError;
use crate::change::submission::Submitted;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::json::parse_text;

/// A size that no operation exceeds.
const LONGEST: u64 = 8 << 20;

/// The commands for drafts.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a draft, and print its id.
    New {
        /// A title for people.
        #[arg(long, default_value = "")]
        title: String,
    },
    /// List all drafts.
    List {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Add an operation to a draft. If it creates a secret, the secret is printed once.
    Add {
        /// The id of the draft.
        draft: String,
        /// The operation in JSON, such as '{"op": "scope_add", "name": "read", "description": "Read"}'. `-`
        /// reads it from standard input.
        #[arg(value_name = "JSON")]
        operation: String,
    },
    /// Show what a draft changes and what it grants.
    Show(show::Arguments),
    /// Remove an operation from a draft.
    Undo {
        /// The id of the draft.
        draft: String,
        /// The number of the operation in the list that `show` prints, counted from 1.
        number: usize,
    },
    /// Apply the operations of a draft to the current configuration, if it was changed after the draft was
    /// created.
    Rebase {
        /// The id of the draft.
        draft: String,
    },
    /// Commit a draft.
    Commit {
        /// The id of the draft.
        draft: String,
        #[command(flatten)]
        commit: CommitArguments,
    },
    /// Discard a draft.
    Discard {
        /// The id of the draft.
        draft: String,
    },
}

pub(super) fn run(path: &Path, command: Command) -> Result<(), Failure> {
    let control = open(path)?;
    let actor = Actor::command_line();
    match command {
        Command::New { title } => {
            let draft = control.begin(&actor, &title, Vec::new())?;
            output::print(&format!("{}\n", draft.id))
        }
        Command::List { json } => list(&control, json),
        Command::Add { draft, operation } => add(&control, &actor, &draft, operation),
        Command::Show(arguments) => show::show(&control, &actor, &arguments),
        Command::Undo { draft, number } => {
            let draft = find(&control, &draft)?;
            let index = number.checked_sub(1).ok_or(ChangeError::NotFound("change in the draft"))?;
            let draft = control.remove_operation(&actor, &draft.id, draft.revision, index)?;
            output::print(&format!("{} changes are left.\n", draft.operations.len()))
        }
        Command::Rebase { draft } => {
            let draft = find(&control, &draft)?;
            control.rebase(&actor, &draft.id, draft.revision)?;
            output::print(
                "The draft now applies to the current configuration. Look at what it grants again.\n",
            )
        }
        Command::Commit { draft, commit } => {
            let draft = find(&control, &draft)?;
            let committed = commit_draft(&control, &actor, &draft, &commit)?;
            output::print(&committed_text(&committed))
        }
        Command::Discard { draft } => {
            let draft = find(&control, &draft)?;
            control.discard(&actor, &draft.id, draft.revision)?;
            output::print("The draft is discarded.\n")
        }
    }
}

fn list(control: &ChangeControl, as_json: bool) -> Result<(), Failure> {
    let drafts = control.drafts()?;
    if as_json {
        let drafts: Vec<Value> = drafts
            .iter()
            .map(|draft| {
                json!({
                    "id": draft.id.as_str(),
                    "owner": draft.owner,
                    "title": draft.title,
                    "revision": draft.revision,
                    "changes": draft.operations.len(),
                })
            })
            .collect();
        return output::print(&output::json(&Value::Array(drafts)));
    }
    if drafts.is_empty() {
        return output::print("There are no drafts; `tollgate change new` begins one.\n");
    }
    let mut rows = vec![["DRAFT", "OWNER", "CHANGES", "TITLE"].map(str::to_owned).to_vec()];
    rows.extend(drafts.into_iter().map(|draft| {
        vec![draft.id.to_string(), draft.owner, draft.operations.len().to_string(), draft.title]
    }));
    output::print(&output::columns(&rows))
}

fn add(control: &ChangeControl, actor: &Actor, draft: &str, text: String) -> Result<(), Failure> {
    let draft = find(control, draft)?;
    let text = if text == "-" {
        let mut text = String::new();
        std::io::stdin()
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|error| Failure::other(format!("cannot read the operation: {error}")))?;
        text
    } else {
        text
    };
    // The parser's error could quote the text, which may contain a secret.
    let json = parse_text(&text).map_err(|error| {
        Failure::config(format!(
            "the operation is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let Submitted { operation, secret, warning } = Submitted::read(json, Role::Owner, SystemTime::now())?;
    let words = operation.to_string();
    control.add(actor, &draft.id, draft.revision, vec![operation])?;
    if let Some(warning) = warning {
        output::note(warning);
    }
    match secret {
        None => output::print(&format!("Added: {words}.\n")),
        Some(secret) => output::print_once(
            &format!("Added: {words}.\n\n  secret  {}\n\nIt is shown this once.\n", secret.expose()),
            "remove the change from the draft, and add it again",
        ),
    }
}
