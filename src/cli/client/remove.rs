//! `tollgate client remove`.

use std::path::Path;

use crate::change::ConfigFile;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    let mut file = ConfigFile::open(path)?;
    file.remove_client(name)?;
    file.save()?;
    output::print(&format!(
        "The client {name:?} is gone. A running gateway refuses it, and its tokens, within 2 seconds.\n"
    ))
}
