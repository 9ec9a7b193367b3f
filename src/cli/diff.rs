//! `tollgate diff`: what one configuration grants that another does not.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::access::difference::{Change, difference};
use crate::access::reach::SenderConstraint;
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
        let line = |change| format!("{} {}\n", if Change::widens(change) { "+" } else { "-" }, text(change));
        output::print(&changes.iter().map(line).collect::<String>())?;
    }
    match changes.iter().filter(|change| change.widens()).count() {
        0 => Ok(()),
        1 => Err(Failure::other("1 change widens access")),
        count => Err(Failure::other(format!("{count} changes widen access"))),
    }
}

fn text(change: &Change) -> String {
    let shown = |constraint: &SenderConstraint| constraint.description().unwrap_or("nothing");
    match change {
        Change::BecomesPublic { route } => format!("{route} becomes public: it needs no token"),
        Change::BecomesProtected { route, needs } => format!("{route} is no longer public: it needs {needs}"),
        Change::RouteRemoved { route } => format!("{route} is removed"),
        Change::Redirected { route, before, after } => format!("{route} goes to {after} instead of {before}"),
        Change::TermsChanged { route, added, removed } => {
            let terms =
                |terms: &[String]| if terms.is_empty() { "none".to_owned() } else { terms.join("; ") };
            format!("{route} has other terms: {} instead of {}", terms(added), terms(removed))
        }
        Change::Gained { client, route } => format!("client \"{client}\" gets through {route}"),
        Change::Lost { client, route } => format!("client \"{client}\" no longer gets through {route}"),
        Change::SenderConstraint { client, before, after } => {
            let (after, before) = (shown(after), shown(before));
            format!("client \"{client}\" has to show {after} with its tokens instead of {before}")
        }
        Change::MayIntrospect { client } => {
            format!("client \"{client}\" may ask about the tokens of all clients (introspection)")
        }
        Change::MayNotIntrospect { client } => {
            format!("client \"{client}\" may no longer ask about tokens (introspection)")
        }
        Change::CredentialAdded { client, credential } => {
            format!("client \"{client}\" can authenticate with a new {credential}")
        }
        Change::CredentialRemoved { client, credential } => {
            format!("client \"{client}\" can no longer authenticate with its {credential}")
        }
    }
}

fn as_json(change: &Change) -> Value {
    let (kind, mut object) = match change {
        Change::BecomesPublic { route } => ("becomes_public", json!({ "route": route })),
        Change::BecomesProtected { route, needs } => {
            ("becomes_protected", json!({ "route": route, "needs": needs }))
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
