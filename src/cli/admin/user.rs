//! `tollgate admin user`.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use crate::change::actor::Actor;
use crate::change::environment::read_config;
use crate::change::submission::Submitted;
use crate::cli::failure::Failure;
use crate::cli::{ask_secret, output};
use crate::config::Role;
use crate::gateway::change_control;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The name of the user.
    name: String,
    /// What the user may do: viewer, editor or owner. A new user is a viewer.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Option<Role>,
    /// Remove the user.
    #[arg(long, conflicts_with = "role")]
    remove: bool,
}

fn role(text: &str) -> Result<Role, String> {
    let found = Role::ALL.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, role)| role).ok_or_else(|| "must be viewer, editor or owner".to_owned())
}

pub(super) fn user(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let config = read_config(path)?;
    let Arguments { name, role, remove } = arguments;
    let known = config.admin.as_ref().and_then(|admin| admin.user(name));
    let operation = match (known, role) {
        _ if *remove => json!({ "op": "admin_user_remove", "name": name }),
        // Only the role changes.
        (Some(_), Some(role)) => json!({ "op": "admin_user_role", "name": name, "role": role.as_str() }),
        (known, role) => {
            let password = ask_secret::password(name)?;
            let password = password.expose();
            match known {
                Some(_) => {
                    json!({ "op": "admin_user_password", "name": name, "password": { "text": password } })
                }
                None => {
                    let role = role.unwrap_or(Role::Viewer).as_str();
                    json!({ "op": "admin_user_add", "name": name, "password": { "text": password }, "role": role })
                }
            }
        }
    };
    let comment = match (known, role) {
        _ if *remove => format!("Remove the user {name}"),
        (Some(_), Some(role)) => format!("Make the user {name} a {role}"),
        (Some(_), None) => format!("New password of the user {name}"),
        (None, _) => format!("Add the user {name}"),
    };
    let submitted = Submitted::read(operation, Role::Owner, SystemTime::now()).map_err(Failure::config)?;
    let control = change_control::of_command(path)?;
    let actor = Actor::command_line();
    control.change(&actor, &[submitted.operation], &comment, None).map_err(|error| {
        // What the caller can correct is a matter of the arguments or the file.
        if error.status() < 500 { Failure::config(error) } else { Failure::other(error) }
    })?;
    submitted.warning.into_iter().for_each(output::note);
    output::print(&format!("{comment}: done\n"))
}
