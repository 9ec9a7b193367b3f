//! Edits of the configuration by commands. If there is a history, each edit becomes a version.

use std::path::Path;

use crate::change::actor::Actor;
use crate::change::{ConfigFile, EditError};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Config;
use crate::gateway::change_control;

/// Opens the configuration, makes changes in it with `change`, and saves it. Returns what `change` returns,
/// and the configuration.
///
/// If the history cannot be written, the edit is made anyway, and a running gateway records it as an edit by
/// hand.
pub(in crate::cli) fn edit<T>(
    path: &Path,
    change: impl FnOnce(&mut ConfigFile) -> Result<T, EditError>,
) -> Result<(T, Config), Failure> {
    let control = change_control::of_edit(path);
    // The lock is taken before the file is opened, in the same order as in commits.
    let held = control.as_ref().and_then(|control| control.hold().ok());
    let mut file = ConfigFile::open(path)?;
    let made = change(&mut file)?;
    let words = file.words();
    let config = file.save()?;
    if let Some(held) = held
        && let Err(error) = held.record(&Actor::command_line(), &words)
    {
        output::note(&format!("the change is made, but not recorded in the history: {error}"));
    }
    Ok((made, config))
}
