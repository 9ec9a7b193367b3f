//! Edits of a configuration on disk, for the command line.

use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use super::conflict::Conflict;
use super::document::Document;
use super::environment::read_edited;
use super::file::{FileError, Opened};
use super::operation::Operation;
use super::texts::Texts;
use crate::config::{Config, ConfigErrors};

/// The reason why a configuration cannot be changed.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum EditError {
    /// The file cannot be read or replaced.
    File(PathBuf, FileError),
    /// The file is not UTF-8, which TOML requires.
    NotUtf8(PathBuf),
    /// The file is not valid TOML. The errors are those of the configuration's own reader.
    Syntax(ConfigErrors),
    /// The change cannot be made.
    Conflict(Conflict),
    /// The file had errors before the change.
    WrongBefore(ConfigErrors),
    /// The file would have errors after the change.
    WrongAfter(ConfigErrors),
}

impl EditError {
    /// Returns whether the cause is in the arguments or in the configuration, rather than in the system or in
    /// another program.
    pub(crate) fn is_usage(&self) -> bool {
        !matches!(
            self,
            Self::File(
                _,
                FileError::Busy
                    | FileError::ChangedMeanwhile
                    | FileError::Owner(_)
                    | FileError::Folder(..)
                    | FileError::Write(_)
            )
        )
    }
}

impl From<Conflict> for EditError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{} {error}", path.display()),
            Self::NotUtf8(path) => write!(f, "{} is not UTF-8, which TOML requires", path.display()),
            Self::Syntax(errors) => write!(f, "nothing is changed, because the file is not TOML:\n{errors}"),
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::WrongBefore(errors) => {
                write!(
                    f,
                    "nothing is changed, because the file already has errors; correct them first:\n{errors}"
                )
            }
            Self::WrongAfter(errors) => {
                write!(f, "nothing is changed, because the changed file would have errors:\n{errors}")
            }
        }
    }
}

impl error::Error for EditError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Syntax(errors) | Self::WrongBefore(errors) | Self::WrongAfter(errors) => Some(errors),
            Self::Conflict(conflict) => Some(conflict),
            Self::NotUtf8(_) => None,
        }
    }
}

/// A configuration that is open for changes.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// The path of the main file, as it was passed to the program.
    main: PathBuf,
    opened: Opened,
    before: Texts,
    /// The configuration before the change. `None` if it has errors: `save` reports them, because the change
    /// may correct them.
    config_before: Option<Config>,
    document: Document,
    /// The changes, in words.
    words: Vec<String>,
}

impl ConfigFile {
    /// Reads a configuration in order to change it. Other edits wait until it is saved or dropped.
    pub(crate) fn open(path: &Path) -> Result<Self, EditError> {
        let opened = Opened::open(path).map_err(|error| EditError::File(path.to_owned(), error))?;
        let before = Texts::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => EditError::NotUtf8(path.to_owned()),
            _ => EditError::File(path.to_owned(), FileError::Open(error)),
        })?;
        let config_before = match read_edited(path, before.files()) {
            Ok(config) => Some(config),
            // The error of the TOML library quotes the line, which may contain a secret.
            Err(errors) if before.main().parse::<toml_edit::DocumentMut>().is_err() => {
                return Err(EditError::Syntax(errors));
            }
            Err(_) => None,
        };
        let document = Document::new(&before);
        document.check_main()?;
        Ok(Self { main: path.to_owned(), opened, before, config_before, document, words: Vec::new() })
    }

    /// Makes a change in memory.
    pub(crate) fn apply(&mut self, operation: &Operation) -> Result<(), Conflict> {
        self.words.push(operation.to_string());
        operation.apply(&mut self.document)
    }

    /// Returns the changes in words.
    pub(crate) fn words(&self) -> String {
        self.words.join("; ")
    }

    /// Returns the document, so that the caller can change it.
    #[cfg(test)]
    pub(super) fn document(&mut self) -> &mut Document {
        &mut self.document
    }

    /// Returns the file that the last change was made in.
    pub(crate) fn path(&self) -> &Path {
        self.document.path()
    }

    /// Returns the configuration before the changes, unless it has errors.
    pub(crate) fn config_before(&self) -> Option<&Config> {
        self.config_before.as_ref()
    }

    /// Returns whether the changes modify any text.
    pub(crate) fn is_changed(&self) -> bool {
        self.document.texts() != self.before
    }

    /// Writes the changes if the result is a valid configuration. Returns the new configuration.
    pub(crate) fn save(self) -> Result<Config, EditError> {
        let after = self.document.texts();
        let config = read_edited(&self.main, after.files()).map_err(|errors| {
            if self.config_before.is_some() {
                EditError::WrongAfter(errors)
            } else {
                EditError::WrongBefore(errors)
            }
        })?;
        let changed = after.changed(&self.before);
        let (main, included): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(path, ..)| *path == self.main);
        for (path, old, new) in included {
            replace(path, old, new).map_err(|error| EditError::File(path.to_owned(), error))?;
        }
        if let Some((path, old, new)) = main.first() {
            let replaced = self.opened.replace(old.as_bytes(), new.as_bytes());
            replaced.map_err(|error| EditError::File((*path).to_owned(), error))?;
        }
        Ok(config)
    }
}

/// Replaces the text of a file if it is unchanged.
pub(super) fn replace(path: &Path, old: &str, new: &str) -> Result<(), FileError> {
    Opened::open(path)?.replace(old.as_bytes(), new.as_bytes())
}
