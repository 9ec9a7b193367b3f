use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

/// The error when a [`Journal`](crate::store::Journal) cannot be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// A file or folder of the journal cannot be used.
    Io(PathBuf, io::Error),
    /// The folder is on a network file system of this kind, which promises neither locks nor durability.
    Network(PathBuf, &'static str),
    /// Another process has the journal open.
    InUse(PathBuf),
    /// The file was written by another version of this program, or by another program.
    Version(PathBuf, i64),
    /// The file has an earlier version of the format, and a gateway that writes this version has it open.
    Earlier(PathBuf, i64),
    /// A file or folder of the journal can be changed by other users of the machine, for the reason given.
    Unsafe(PathBuf, String),
    /// SQLite cannot use the file.
    Sqlite(PathBuf, rusqlite::Error),
    /// The content of the file is damaged.
    Damaged(PathBuf, &'static str),
}

impl JournalError {
    /// Returns whether the folder cannot hold a journal, because it is not writable or is on a network file
    /// system. Returns `false` for a journal that exists but is damaged or in use by another process.
    #[must_use]
    pub fn is_about_the_folder(&self) -> bool {
        matches!(self, Self::Io(..) | Self::Network(..))
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot use {}: {error}", path.display()),
            Self::Network(path, kind) => write!(
                f,
                "{} is on a network file system ({kind}): set state_dir to a folder on a local disk, or [store] kind = \"memory\"",
                path.display()
            ),
            Self::InUse(path) => write!(
                f,
                "{} is in use by another gateway: give each gateway its own state_dir",
                path.display()
            ),
            Self::Version(path, version) => write!(
                f,
                "{} was written by another version of this program ({version}): use that version, or move the file away",
                path.display()
            ),
            Self::Earlier(path, version) => write!(
                f,
                "the running gateway writes {} in an earlier format ({version}): restart it instead of upgrading it",
                path.display()
            ),
            Self::Unsafe(path, reason) => write!(f, "{} is not safe: {reason}", path.display()),
            Self::Sqlite(path, error) => write!(f, "cannot use {}: {error}", path.display()),
            Self::Damaged(path, what) => write!(f, "{} is damaged: {what}", path.display()),
        }
    }
}

impl Error for JournalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Sqlite(_, error) => Some(error),
            Self::Network(..)
            | Self::InUse(_)
            | Self::Version(..)
            | Self::Earlier(..)
            | Self::Unsafe(..)
            | Self::Damaged(..) => None,
        }
    }
}
