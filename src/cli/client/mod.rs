//! `tollgate client …`: the clients of gateway.toml.

mod add;
mod edit;
mod list;
mod registered;
mod remove;
mod reset_secret;
mod revoke_tokens;
pub(super) mod save;
pub(super) mod secrets;
mod show;
mod switch;
mod usage;

use std::path::Path;

use clap::Subcommand;
use clap_complete::engine::ArgValueCompleter;

use crate::cli::completed_names::clients;
use crate::cli::failure::Failure;

/// The commands for clients.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a client and print its secret, once.
    Add(add::Arguments),
    /// Change what a client may do: scopes, default scopes, capabilities, audiences, lifetime, limits.
    Edit(Box<edit::Arguments>),
    /// List all clients.
    List {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Show one client.
    Show {
        /// The client's id.
        #[arg(add = ArgValueCompleter::new(clients))]
        name: String,
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret and print it, once.
    ResetSecret(reset_secret::Arguments),
    /// End all tokens of a client. It can get new ones.
    RevokeTokens {
        /// The client's id.
        name: String,
    },
    /// Disable a client, and end its tokens.
    Disable {
        /// The client's id.
        #[arg(add = ArgValueCompleter::new(clients))]
        name: String,
    },
    /// Enable a disabled client.
    Enable {
        /// The client's id.
        #[arg(add = ArgValueCompleter::new(clients))]
        name: String,
    },
    /// Remove a client, and end its tokens.
    Remove {
        /// The client's id.
        #[arg(add = ArgValueCompleter::new(clients))]
        name: String,
    },
}

pub(super) fn run(path: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => add::add(path, &arguments),
        Command::Edit(arguments) => edit::edit(path, &arguments),
        Command::List { json } => list::list(path, json),
        Command::Show { name, json } => show::show(path, &name, json),
        Command::ResetSecret(arguments) => reset_secret::reset_secret(path, &arguments),
        Command::RevokeTokens { name } => revoke_tokens::revoke_tokens(path, &name),
        Command::Disable { name } => switch::switch(path, &name, false),
        Command::Enable { name } => switch::switch(path, &name, true),
        Command::Remove { name } => remove::remove(path, &name),
    }
}
