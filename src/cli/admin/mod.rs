//! `tollgate admin …`: who may use the console.

mod link;
mod user;

use std::path::Path;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// The commands for the console.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a link that creates the first user of the console, or resets a lost password. The link can be
    /// used once, within 15 minutes.
    Link,
    /// Add a user of the console, change a user's password or role, or remove a user. The command asks for
    /// the password, or reads it from standard input.
    User(user::Arguments),
}

pub(super) fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Link => link::link(path),
        Command::User(arguments) => user::user(path, arguments),
    }
}
