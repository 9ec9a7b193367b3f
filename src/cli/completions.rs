//! `tollgate completions`.
//!
//! The script that a shell loads calls the program again for each completion, with [`VARIABLE`] set. The
//! names therefore always come from the current file.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};

use crate::cli::arguments::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output;

/// The environment variable by which the shell asks for completions. It has a name of its own, so that no
/// variable of another program keeps the gateway from starting.
const VARIABLE: &str = "TOLLGATE_COMPLETE";

/// Answers a shell that asks for completions, and ends the process then.
pub(super) fn answer_shell() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).complete();
}

/// Prints the script that a shell loads.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let Some(writer) = shells.completer(&name) else {
        return Err(Failure::config(format!("there are no completions for {name}")));
    };
    let mut script = Vec::new();
    writer
        .write_registration(VARIABLE, "tollgate", "tollgate", "tollgate", &mut script)
        .map_err(|error| Failure::other(format!("cannot write the script: {error}")))?;
    output::print(&String::from_utf8_lossy(&script))
}
