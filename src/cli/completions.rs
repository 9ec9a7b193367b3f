//! `tollgate completions`, and the names that the shell completes: clients and scopes of the configuration.
//!
//! The script that a shell loads calls the program again for each completion, with [`VARIABLE`] set. So the names
//! are always those of the file as it is.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};

use crate::change::environment::read_config;
use crate::cli::arguments::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Config;

/// The environment variable by which the shell asks for completions. It has a name of its own, so that no variable
/// of another program keeps the gateway from starting.
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

/// Completes the id of a client.
pub(super) fn clients(current: &OsStr) -> Vec<CompletionCandidate> {
    let config = configuration();
    let ids = config.iter().flat_map(|config| &config.clients).map(|client| client.id.to_string());
    matching(current, ids)
}

/// Completes the name of a scope.
pub(super) fn scopes(current: &OsStr) -> Vec<CompletionCandidate> {
    let config = configuration();
    let names = config.iter().flat_map(|config| &config.scopes).map(|scope| scope.name.clone());
    matching(current, names)
}

fn matching(current: &OsStr, names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    names.filter(|name| name.starts_with(&*typed)).map(CompletionCandidate::new).collect()
}

/// Reads the configuration that the command line names so far. A file with a mistake completes nothing.
fn configuration() -> Option<Config> {
    let mut arguments = std::env::args_os().skip_while(|argument| argument != "--").skip(1);
    let mut path = PathBuf::from("gateway.toml");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            path = arguments.next()?.into();
        } else if let Some(inline) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            path = inline.into();
        }
    }
    read_config(&path).ok()
}
