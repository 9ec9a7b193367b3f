//! Replacing a file so that nobody ever sees half of it, and so that no change made meanwhile is lost.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use std::{error, fmt};

/// How long another edit of the same file is waited for.
const TRIES: u32 = 250;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// The largest file that is edited; the configuration's own limit.
const MAX_SIZE: u64 = 64 << 20;

/// Why a file cannot be replaced.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum FileError {
    /// It cannot be opened for reading and writing.
    Open(io::Error),
    /// It is larger than any configuration.
    TooLarge,
    /// Another edit of it does not end.
    Busy,
    /// Somebody wrote it since it was read.
    ChangedMeanwhile,
    /// The new file would not be readable for the one who owns the old one.
    Owner(io::Error),
    /// Its folder takes no new file, which every change needs: a file is replaced as a whole.
    Folder(PathBuf, io::Error),
    /// The new text cannot be written beside it, or not be put in its place.
    Write(io::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "cannot be opened for a change: {error}"),
            Self::TooLarge => f.write_str("is larger than 64 MiB"),
            Self::Busy => f.write_str("is locked by another program that changes it; try again"),
            Self::ChangedMeanwhile => {
                f.write_str("was changed by somebody else meanwhile, so it is left as it is; try again")
            }
            Self::Owner(error) => write!(
                f,
                "belongs to somebody else, who could not read it any more after the change ({error}); \
                 run the command as its owner"
            ),
            Self::Folder(folder, error) => write!(
                f,
                "cannot be changed, for no new file can be made in {} ({error}); a change replaces the file as a whole",
                folder.display()
            ),
            Self::Write(error) if error.kind() == io::ErrorKind::ResourceBusy => write!(
                f,
                "cannot be replaced ({error}): is it mounted on its own, as into a container? mount its folder instead"
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
            Self::TooLarge | Self::Busy | Self::ChangedMeanwhile => None,
        }
    }
}

/// A file as it was read, locked against edits by other commands of this program until it is dropped.
#[derive(Debug)]
pub(super) struct Opened {
    /// Behind every symbolic link.
    target: PathBuf,
    file: File,
    bytes: Vec<u8>,
}

impl Opened {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let target = fs::canonicalize(path).map_err(FileError::Open)?;
        for _ in 0..TRIES {
            // Writable, although nothing is written into it: a file that is not to be written is not replaced either.
            let mut file =
                OpenOptions::new().read(true).write(true).open(&target).map_err(FileError::Open)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                // Not every file system has locks; the comparison before the end is what counts.
                Err(TryLockError::Error(_)) => {}
            }
            // Who held the lock before may have put another file in this one's place.
            if !is_at(&file, &target).map_err(FileError::Open)? {
                continue;
            }
            let mut bytes = Vec::new();
            (&mut file).take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(FileError::Open)?;
            if bytes.len() as u64 > MAX_SIZE {
                return Err(FileError::TooLarge);
            }
            return Ok(Self { target, file, bytes });
        }
        Err(FileError::Busy)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts `new` in the place of the file: whole or not at all, also when the power fails.
    pub(super) fn replace(self, new: &[u8]) -> Result<(), FileError> {
        let metadata = self.file.metadata().map_err(FileError::Write)?;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let mut temporary = Temporary::create(folder, &self.target)
            .map_err(|error| FileError::Folder(folder.to_owned(), error))?;
        temporary.file.write_all(new).map_err(FileError::Write)?;
        keep_access(&temporary.file, &metadata)?;
        temporary.file.sync_all().map_err(FileError::Write)?;
        let unchanged = is_at(&self.file, &self.target).unwrap_or(false)
            && fs::read(&self.target).is_ok_and(|now| now == self.bytes);
        if !unchanged {
            return Err(FileError::ChangedMeanwhile);
        }
        fs::rename(&temporary.path, &self.target).map_err(FileError::Write)?;
        temporary.in_place = true;
        // The rename itself has to reach the disk, too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(FileError::Write)
    }
}

/// Whether an open file is the one that stands at a path now.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (open, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

/// Gives the new file the old one's mode, and its owner and group where this process may.
fn keep_access(new: &File, old: &fs::Metadata) -> Result<(), FileError> {
    let own = new.metadata().map_err(FileError::Write)?;
    let mut mode = old.mode() & 0o7777;
    let owner = if own.uid() == old.uid() { Ok(()) } else { fchown(new, Some(old.uid()), None) };
    let group = if own.gid() == old.gid() { Ok(()) } else { fchown(new, None, Some(old.gid())) };
    if group.is_err() {
        // What the old group may, another one may not.
        mode &= !0o070;
    }
    if let Err(error) = owner
        && mode & 0o044 == 0
    {
        return Err(FileError::Owner(error));
    }
    // After the owner: changing that clears bits of the mode.
    new.set_permissions(Permissions::from_mode(mode)).map_err(FileError::Write)
}

/// A file on its way; gone with its end unless it got into its place.
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
        // Nobody else reads it before it has the old one's mode.
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
