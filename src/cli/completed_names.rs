//! The names that a shell completes: clients and scopes of the configuration.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;

use crate::change::environment::read_config;
use crate::config::Config;

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

/// Reads the configuration that the incomplete command line names. A file with errors yields no completions.
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
