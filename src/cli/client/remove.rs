//! `tollgate client remove`.

use std::path::Path;

use super::save;
use crate::change::operation::Operation;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    let operation = Operation::ClientRemove { id: name.to_owned() };
    save::edit(path, |file| Ok(file.apply(&operation)?))?;
    output::print(&format!(
        "The client {name:?} is gone. A running gateway refuses it, and its tokens, within 2 seconds.\n"
    ))
}
