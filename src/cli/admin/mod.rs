//! `tollgate admin …`: who may use the console.

mod link;

use std::path::Path;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// The commands for the console.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a link with which the first user of the console is made, or a lost password is reset. It can be used once,
    /// within 15 minutes.
    Link,
}

pub(super) fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Link => link::link(path),
    }
}
