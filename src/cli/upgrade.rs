//! `tollgate upgrade`: lets a new process take over from the running gateway.

use std::path::{Path, PathBuf};

use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::gateway::handover::{request_upgrade, socket_path};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The socket of the running gateway. Default: handover.sock in the configuration's state_dir.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

/// Prints the new process once it serves.
pub(super) fn upgrade(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let failed =
        |why: &dyn std::fmt::Display| Failure::other(format!("not upgraded, nothing has changed: {why}"));
    let socket = match &arguments.socket {
        Some(socket) => socket.clone(),
        // The new process would fail with the same errors.
        None => socket_path(&read_config(path).map_err(|errors| failed(&errors))?.server.state_dir),
    };
    let process = request_upgrade(&socket).map_err(|reason| failed(&reason))?;
    output::print(&format!("upgraded: the process {process} serves\n"))
}
