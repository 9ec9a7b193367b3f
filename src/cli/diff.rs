//! `tollgate diff`: what one configuration grants that another does not.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::access::difference::{Change, difference};
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration before the change.
    before: PathBuf,
    /// The configuration after the change. Left out: the file that --config names.
    after: Option<PathBuf>,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Prints the changes. Fails if one of them widens access, so that a review can be required for it.
pub(super) fn diff(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let before = read_config(&arguments.before)?;
    let after = read_config(arguments.after.as_deref().unwrap_or(path))?;
    let changes = difference(&before, &after, SystemTime::now());
    if arguments.json {
        let changes: Vec<Value> = changes.iter().map(as_json).collect();
        output::print(&output::json(&Value::Array(changes)))?;
    } else if changes.is_empty() {
        output::print("Nothing that clients can reach changes.\n")?;
    } else {
        let line = |change: &Change| format!("{} {change}\n", if change.widens() { "+" } else { "-" });
        output::print(&changes.iter().map(line).collect::<String>())?;
    }
    match changes.iter().filter(|change| change.widens()).count() {
        0 => Ok(()),
        1 => Err(Failure::other("1 change widens access")),
        count => Err(Failure::other(format!("{count} changes widen access"))),
    }
}

fn as_json(change: &Change) -> Value {
    let (kind, mut object) = match change {
        Change::BecomesPublic { route } => ("becomes_public", json!({ "route": route })),
        Change::BecomesProtected { route, needs } => {
            ("becomes_protected", json!({ "route": route, "needs": needs }))
        }
        Change::BecomesShadow { route } => ("becomes_shadow", json!({ "route": route })),
        Change::BecomesEnforced { route, needs } => {
            ("becomes_enforced", json!({ "route": route, "needs": needs }))
        }
        Change::RouteRemoved { route } => ("route_removed", json!({ "route": route })),
        Change::Redirected { route, before, after } => {
            ("redirected", json!({ "route": route, "before": before, "after": after }))
        }
        Change::TermsChanged { route, added, removed } => {
            ("terms_changed", json!({ "route": route, "added": added, "removed": removed }))
        }
        Change::Gained { client, route } => ("gained", json!({ "client": client, "route": route })),
        Change::Lost { client, route } => ("lost", json!({ "client": client, "route": route })),
        Change::SenderConstraint { client, before, after } => (
            "sender_constraint",
            json!({ "client": client, "before": before.names(), "after": after.names() }),
        ),
        Change::MayIntrospect { client } => ("may_introspect", json!({ "client": client })),
        Change::MayNotIntrospect { client } => ("may_not_introspect", json!({ "client": client })),
        Change::CredentialAdded { client, credential } => {
            ("credential_added", json!({ "client": client, "credential": credential }))
        }
        Change::CredentialRemoved { client, credential } => {
            ("credential_removed", json!({ "client": client, "credential": credential }))
        }
    };
    object["change"] = json!(kind);
    object["widens"] = json!(change.widens());
    object
}
