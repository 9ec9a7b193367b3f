//! `tollgate admin …`: who may use the console.

mod link;
mod user;

use std::path::Path;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// The commands for the console.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a link with which the first user of the console is made, or a lost password is reset. It can be
    /// used once, within 15 minutes.
    Link,
    /// Add a user of the console, change the password or the role of one, or remove one. The password is
    /// asked for, or read from standard input.
    User(user::Arguments),
}

pub(super) fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Link => link::link(path),
        Command::User(arguments) => user::user(path, arguments),
    }
}
