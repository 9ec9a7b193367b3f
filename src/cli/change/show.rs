//! `tollgate change show`.

use serde_json::{Value, json};

use super::draft::find;
use crate::access::difference::Change;
use crate::change::actor::Actor;
use crate::change::control::ChangeControl;
use crate::change::draft::Draft;
use crate::change::preview::Preview;
use crate::cli::failure::Failure;
use crate::cli::output;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The id of the draft.
    draft: String,
    /// Print only the difference of the texts, as a patch for the place where the configuration is kept.
    /// Credentials in it are hidden.
    #[arg(long)]
    patch: bool,
    /// Print JSON, for scripts.
    #[arg(long, conflicts_with = "patch")]
    json: bool,
}

pub(super) fn show(control: &ChangeControl, actor: &Actor, arguments: &Arguments) -> Result<(), Failure> {
    let draft = find(control, &arguments.draft)?;
    let preview = control.preview(actor, &draft)?;
    if arguments.patch {
        return output::print(&preview.patch(control.key()));
    }
    if arguments.json {
        return output::print(&output::json(&as_json(control, &draft, &preview)));
    }
    output::print(&as_text(control, &draft, &preview))
}

fn as_json(control: &ChangeControl, draft: &Draft, preview: &Preview) -> Value {
    let errors = preview.errors.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "id": draft.id.as_str(),
        "owner": draft.owner,
        "title": draft.title,
        "revision": draft.revision,
        "stale": preview.stale,
        "operations": draft.operations.iter().map(|operation| operation.shown()).collect::<Vec<_>>(),
        "grants": preview.grants.as_ref().map(|grants| grants.iter().map(Change::to_json).collect::<Vec<_>>()),
        "owner_only": preview.owner_only.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "needs_restart": preview.needs_restart,
        "errors": errors,
        "diff": preview.diff(control.key()),
    })
}

fn as_text(control: &ChangeControl, draft: &Draft, preview: &Preview) -> String {
    let mut text = String::new();
    if preview.stale {
        text.push_str(
            "The configuration was changed after this draft was created. `tollgate change rebase` applies the draft to it.\n\n",
        );
    }
    text.push_str("Changes:\n");
    for (at, operation) in draft.operations.iter().enumerate() {
        text.push_str(&format!("  {}. {operation}\n", at + 1));
    }
    if draft.operations.is_empty() {
        text.push_str("  none; `tollgate change add` adds one\n");
    }
    if let Some(errors) = &preview.errors {
        text.push_str(&format!("\nThe changed configuration would have errors:\n{errors}\n"));
    }
    if let Some(grants) = &preview.grants {
        text.push_str("\nWhat it grants (+) and takes away (-):\n");
        for change in grants {
            text.push_str(&format!("  {} {change}\n", if change.widens() { "+" } else { "-" }));
        }
        if grants.is_empty() {
            text.push_str("  nothing that clients can reach changes\n");
        }
    }
    for key in &preview.needs_restart {
        text.push_str(&format!("\nA change of {key} takes effect only after a restart.\n"));
    }
    let diff = preview.diff(control.key());
    if !diff.is_empty() {
        text.push_str(&format!("\n{diff}"));
    }
    text
}
