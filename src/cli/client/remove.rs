//! `tollgate client remove`.

use std::path::Path;

use crate::cli::edit::ConfigFile;
use crate::cli::{Failure, output};

pub(super) fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    let mut file = ConfigFile::open(path)?;
    file.remove_client(name)?;
    file.save()?;
    output::print(&format!(
        "The client {name:?} is gone. A running gateway refuses it, and its tokens, within 2 seconds.\n"
    ))
}
