//! The folder that contains drafts, the history and the audit: `admin` in `state_dir`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::ChangeError;
use super::hidden::HidingKey;
use super::raw;
use super::texts::Texts;
use crate::config::settings::server::STATE_DIR;
use crate::state_file;

/// The mode of all files, which only this user can read.
const MODE: u32 = 0o600;
/// How often the lock is tried while another change runs.
const TRIES: u32 = 500;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
/// The maximum size of a file that is read.
const MAX_SIZE: u64 = 128 << 20;

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct StateFolder(PathBuf);

/// The lock that excludes other changes, even by other processes, until it is dropped.
#[derive(Debug)]
pub(super) struct StateLock(#[expect(dead_code, reason = "closing it unlocks it")] File);

impl StateFolder {
    /// Returns the folder in `state_dir` without creating it.
    pub(crate) fn in_state_dir(state_dir: &Path) -> Self {
        Self(state_dir.join("admin"))
    }

    /// Returns whether the folder exists.
    pub(crate) fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// Returns whether a commit awaits confirmation.
    pub(crate) fn has_unconfirmed(&self) -> bool {
        self.unconfirmed().exists()
    }

    /// Creates the folder and its subfolders if they do not exist.
    pub(super) fn make(&self) -> io::Result<()> {
        state_file::make_folder(&self.drafts())?;
        state_file::make_folder(&self.history())
    }

    pub(super) fn drafts(&self) -> PathBuf {
        self.0.join("drafts")
    }

    pub(super) fn history(&self) -> PathBuf {
        self.0.join("history")
    }

    pub(super) fn audit(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    /// Returns the path of the file about the commit that awaits confirmation.
    pub(super) fn unconfirmed(&self) -> PathBuf {
        self.0.join("unconfirmed.json")
    }

    /// Returns the path of the file with the texts before a commit that replaces several files.
    pub(super) fn pending(&self) -> PathBuf {
        self.0.join("pending.json")
    }

    /// Waits until no other change runs.
    pub(super) fn lock(&self) -> io::Result<StateLock> {
        let path = self.0.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(MODE).open(path)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(StateLock(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "another change runs"))
    }

    /// Takes the lock, unless another change holds it.
    pub(super) fn try_lock(&self) -> io::Result<Option<StateLock>> {
        let path = self.0.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(MODE).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(StateLock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Reads the key that hides credentials. Creates the key if it does not exist.
    pub(super) fn key(&self) -> io::Result<HidingKey> {
        let path = self.0.join("key");
        match fs::read(&path) {
            Ok(bytes) if bytes.len() == 32 => return Ok(HidingKey::new(&bytes)),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the key is damaged")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        write(&path, &bytes)?;
        Ok(HidingKey::new(&bytes))
    }
}

/// Returns the state folder that texts name, even if they contain other errors.
///
/// # Errors
/// Fails if they are not valid TOML, or if the folder is in a variable that is not set.
pub(crate) fn state_dir(texts: &Texts) -> Result<PathBuf, ChangeError> {
    let root = raw::merged(texts)?;
    let named = root.get("server").and_then(|server| server.get("state_dir")?.as_str());
    let named = match named.map(|named| (named, named.strip_prefix("env:"))) {
        None => STATE_DIR.to_owned(),
        Some((named, None)) => named.to_owned(),
        Some((_, Some(variable))) => std::env::var(variable).map_err(|error| {
            ChangeError::State(io::Error::other(format!("server.state_dir: {error}: {variable}")))
        })?,
    };
    let folder = texts.main_path().parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(folder.unwrap_or(Path::new(".")).join(named))
}

/// Writes a file completely, or leaves the existing file.
pub(super) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    state_file::replace(path, contents, MODE)
}

/// Writes a file that does not exist yet.
pub(super) fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(contents)?;
    file.sync_all()?;
    sync_folder_of(path)
}

/// Removes a file, and waits until the removal is on disk.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder_of(path),
    }
}

/// Reads a file. Returns `None` if it does not exist.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Syncs the folder, so that the names of its files are on disk.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
