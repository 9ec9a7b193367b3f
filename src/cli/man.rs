//! `tollgate man`: the manual pages, for packages.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::arguments::Arguments;
use crate::cli::failure::Failure;

/// Writes `tollgate.1` and a page for each subcommand, such as `tollgate-client-add.1`, into a folder.
pub(super) fn man(folder: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::other(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(failed)
}
