//! `tollgate client remove`.

use std::path::Path;

use super::{registered, save};
use crate::change::operation::Operation;
use crate::change::registration::RegisteredState;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    let id = name.to_owned();
    let operation = if registered::is_meant(path, name) {
        Operation::RegisteredClient { id, state: RegisteredState::Removed }
    } else {
        Operation::ClientRemove { id }
    };
    save::edit(path, |file| Ok(file.apply(&operation)?))?;
    output::print(&format!(
        "The client {name:?} is gone. A running gateway refuses it, and its tokens, within 2 seconds.\n"
    ))
}
