//! `tollgate client remove`.

use std::path::Path;

use crate::change::ConfigFile;
use crate::change::operation::Operation;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    let mut file = ConfigFile::open(path)?;
    file.apply(&Operation::ClientRemove { id: name.to_owned() })?;
    file.save()?;
    output::print(&format!(
        "The client {name:?} is gone. A running gateway refuses it, and its tokens, within 2 seconds.\n"
    ))
}
