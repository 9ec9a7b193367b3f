//! Files that the gateway keeps for itself, in `state_dir`.

#[cfg(feature = "gateway")]
mod document;

use std::fs::DirBuilder;
#[cfg(feature = "gateway")]
use std::fs::{self, OpenOptions};
use std::io;
#[cfg(feature = "gateway")]
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
#[cfg(feature = "gateway")]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

#[cfg(feature = "gateway")]
pub(crate) use self::document::{DocumentError, read_document};

/// Creates the folder of such files if it does not exist. Only this user can access it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a temporary file beside it and renames that, so that a reader sees the old file or the new one, and
/// the mode is right from the first byte on. The folder is made if it is not there.
#[cfg(feature = "gateway")]
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    // Every attempt uses the same name, so a crash leaves at most one temporary file behind.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename must reach the disk too.
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}
