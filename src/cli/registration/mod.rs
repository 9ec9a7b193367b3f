//! `tollgate registration …`: initial access tokens, and the clients that have registered themselves.

mod list;
mod token;

use std::path::Path;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// The commands for dynamic client registration.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an initial access token, with which a program registers clients, and print it once.
    Token(token::Arguments),
    /// Remove an initial access token. The clients that were registered with it stay.
    RemoveToken {
        /// The token's name.
        name: String,
    },
    /// List the clients that have registered themselves, from the journal or the shared store.
    List {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Token(arguments) => token::add(path, arguments),
        Command::RemoveToken { name } => token::remove(path, name),
        Command::List { json } => list::list(path, *json),
    }
}
