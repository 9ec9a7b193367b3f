//! Replaces a file atomically: no reader sees a partial file, and no change by another program is lost.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use std::{error, fmt};

use super::fault;

/// How often the lock is tried while another program edits the same file.
const TRIES: u32 = 250;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The reason why a file cannot be replaced.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum FileError {
    /// The file cannot be opened for reading and writing.
    Open(io::Error),
    /// Another edit of the file did not finish in time.
    Busy,
    /// The file was changed after it was read.
    ChangedMeanwhile,
    /// The owner of the old file would be unable to read the new one.
    Owner(io::Error),
    /// No file can be created in the folder, which every change needs because it replaces the whole file.
    Folder(PathBuf, io::Error),
    /// The new file cannot be written, or cannot replace the old one.
    Write(io::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "cannot be opened for a change: {error}"),
            Self::Busy => f.write_str("is locked by another program that changes it; try again"),
            Self::ChangedMeanwhile => f.write_str(
                "was changed by another program in the meantime, so it is left unchanged; try again",
            ),
            Self::Owner(error) => write!(
                f,
                "belongs to another user, who could not read it after the change ({error}); run the command as that user"
            ),
            Self::Folder(folder, error) => write!(
                f,
                "cannot be changed, because no file can be created in {} ({error}); a change replaces the whole file",
                folder.display()
            ),
            Self::Write(error) if error.kind() == io::ErrorKind::ResourceBusy => write!(
                f,
                "cannot be replaced ({error}): is the file itself mounted into a container? mount its folder instead"
            ),
            Self::Write(error) => write!(f, "cannot be replaced: {error}"),
        }
    }
}

impl error::Error for FileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Open(error) | Self::Owner(error) | Self::Write(error) | Self::Folder(_, error) => {
                Some(error)
            }
            Self::Busy | Self::ChangedMeanwhile => None,
        }
    }
}

/// A file that is open for a change, locked against edits by other commands of this program until it is
/// dropped.
#[derive(Debug)]
pub(super) struct Opened {
    /// The path after symbolic links were resolved.
    target: PathBuf,
    file: File,
}

impl Opened {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let target = fs::canonicalize(path).map_err(FileError::Open)?;
        for _ in 0..TRIES {
            // The file is opened for writing, so that a file without write permission is not replaced either.
            let file = OpenOptions::new().read(true).write(true).open(&target).map_err(FileError::Open)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                // Some file systems do not support locks. The comparison in `replace` still detects other
                // changes.
                Err(TryLockError::Error(_)) => {}
            }
            // The program that held the lock may have replaced the file.
            if !is_at(&file, &target).map_err(FileError::Open)? {
                continue;
            }
            return Ok(Self { target, file });
        }
        Err(FileError::Busy)
    }

    /// Replaces the file with `new` if its content is still `old`. The file is replaced completely or not at
    /// all, even if the power fails.
    pub(super) fn replace(self, old: &[u8], new: &[u8]) -> Result<(), FileError> {
        let metadata = self.file.metadata().map_err(FileError::Write)?;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let mut temporary = Temporary::create(folder, &self.target)
            .map_err(|error| FileError::Folder(folder.to_owned(), error))?;
        temporary.file.write_all(new).map_err(FileError::Write)?;
        keep_access(&temporary.file, &metadata)?;
        temporary.file.sync_all().map_err(FileError::Write)?;
        let unchanged = is_at(&self.file, &self.target).unwrap_or(false)
            && fs::read(&self.target).is_ok_and(|now| now == old);
        if !unchanged {
            return Err(FileError::ChangedMeanwhile);
        }
        fault::point("written");
        fs::rename(&temporary.path, &self.target).map_err(FileError::Write)?;
        fault::point("renamed");
        temporary.in_place = true;
        // The rename must be on disk too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(FileError::Write)
    }
}

/// Returns whether an open file is the one that a path leads to.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (open, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

/// Gives the new file the mode of the old one, and its owner and group if the process is allowed to.
fn keep_access(new: &File, old: &fs::Metadata) -> Result<(), FileError> {
    let own = new.metadata().map_err(FileError::Write)?;
    let mut mode = old.mode() & 0o7777;
    let owner = if own.uid() == old.uid() { Ok(()) } else { fchown(new, Some(old.uid()), None) };
    let group = if own.gid() == old.gid() { Ok(()) } else { fchown(new, None, Some(old.gid())) };
    if group.is_err() {
        // Another group must not get the permissions of the old one.
        mode &= !0o070;
    }
    if let Err(error) = owner
        && mode & 0o044 == 0
    {
        return Err(FileError::Owner(error));
    }
    // The mode is set after the owner, because a change of the owner clears bits of the mode.
    new.set_permissions(Permissions::from_mode(mode)).map_err(FileError::Write)
}

/// A temporary file, deleted on drop unless it has replaced the target.
struct Temporary {
    path: PathBuf,
    file: File,
    in_place: bool,
}

impl Temporary {
    fn create(folder: &Path, target: &Path) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!(".{name}.{:016x}.tmp", u64::from_ne_bytes(random)));
        // No other user can read the file before it has the mode of the old file.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, in_place: false })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}
