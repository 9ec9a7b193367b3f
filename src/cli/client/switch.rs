//! `tollgate client disable` and `tollgate client enable`.

use std::path::Path;
use std::time::SystemTime;

use crate::change::ConfigFile;
use crate::change::operation::{Operation, millis};
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn switch(path: &Path, name: &str, enabled: bool) -> Result<(), Failure> {
    let mut file = ConfigFile::open(path)?;
    file.apply(&Operation::ClientEnabled { id: name.to_owned(), enabled, at: millis(SystemTime::now()) })?;
    let changed = file.is_changed();
    file.save()?;
    let word = if enabled { "enabled" } else { "disabled" };
    output::print(&if changed {
        let effect =
            if enabled { "" } else { " A running gateway refuses it within 2 seconds, and ends its tokens." };
        format!("The client {name:?} is {word}.{effect}\n")
    } else {
        format!("The client {name:?} was already {word}.\n")
    })
}
