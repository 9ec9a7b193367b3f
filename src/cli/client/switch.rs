//! `tollgate client disable` and `tollgate client enable`.

use std::path::Path;
use std::time::SystemTime;

use super::{registered, save};
use crate::change::operation::{Operation, millis};
use crate::change::registration::RegisteredState;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn switch(path: &Path, name: &str, enabled: bool) -> Result<(), Failure> {
    let id = name.to_owned();
    let operation = if registered::is_meant(path, name) {
        let state = if enabled { RegisteredState::Enabled } else { RegisteredState::Disabled };
        Operation::RegisteredClient { id, state }
    } else {
        Operation::ClientEnabled { id, enabled, at: millis(SystemTime::now()) }
    };
    let (changed, _) = save::edit(path, |file| {
        file.apply(&operation)?;
        Ok(file.is_changed())
    })?;
    let word = if enabled { "enabled" } else { "disabled" };
    output::print(&if changed {
        let effect =
            if enabled { "" } else { " A running gateway refuses it within 2 seconds, and ends its tokens." };
        format!("The client {name:?} is {word}.{effect}\n")
    } else {
        format!("The client {name:?} was already {word}.\n")
    })
}
