//! Edits gateway.toml. Everything outside the change stays as it is written, and a result that is not a valid
//! configuration is not saved.

mod clients;
mod edit;
pub(crate) mod environment;
mod file;
mod generation;
mod included;
mod layout;
pub(crate) mod new_secret;
mod secrets;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{error, fmt};

use toml_edit::DocumentMut;

pub(crate) use self::clients::NewClient;
pub(crate) use self::edit::{ClientEdit, ListEdit, SettingEdit};
pub(crate) use self::file::FileError;
pub(crate) use self::secrets::Rotation;

use self::environment::read_edited;
use self::file::Opened;
use crate::config::{Config, ConfigErrors};

/// Why a configuration cannot be changed.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum EditError {
    /// The file cannot be read or replaced.
    File(PathBuf, FileError),
    /// The file is not UTF-8, which TOML requires.
    NotUtf8(PathBuf),
    /// The file is not TOML. These are the errors of the configuration's own reader.
    Syntax(ConfigErrors),
    /// The editor would change other parts of the file too. The first such line, if it is known.
    Unfaithful(PathBuf, Option<usize>),
    /// A key that should be a table has another value.
    NotATable(String),
    /// A client of that name already exists.
    ClientExists(String),
    /// No client has that name. The second text names a similar client, or is empty.
    NoSuchClient(String, String),
    /// A scope is not in `[scopes]`.
    NoSuchScope {
        /// The scope.
        scope: String,
        /// The configuration.
        file: PathBuf,
        /// The scopes that exist.
        known: Vec<String>,
    },
    /// A name to remove is not in the list.
    NotInList {
        /// The client.
        client: String,
        /// The list.
        key: &'static str,
        /// The name.
        name: String,
        /// A text that names a similar name, or is empty.
        hint: String,
    },
    /// The file had errors before the change.
    WrongBefore(ConfigErrors),
    /// The file would have errors after the change.
    WrongAfter(ConfigErrors),
}

impl EditError {
    /// Returns whether the cause is in the arguments or in the configuration, not in the system or in another program.
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

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{} {error}", path.display()),
            Self::NotUtf8(path) => write!(f, "{} is not UTF-8, which TOML requires", path.display()),
            Self::Syntax(errors) => write!(f, "nothing is changed, because the file is not TOML:\n{errors}"),
            Self::Unfaithful(path, None) => write!(
                f,
                "{} cannot be changed in one place without changing others; edit it by hand",
                path.display()
            ),
            Self::Unfaithful(path, Some(line)) => write!(
                f,
                "{}:{line}: the editor would rewrite this line (are there unusual spaces in a name?); simplify the line, or \
                 edit the file by hand",
                path.display()
            ),
            Self::NotATable(key) => {
                write!(f, "{key} is not a table; correct it by hand (`tollgate check` says how)")
            }
            Self::ClientExists(name) => write!(
                f,
                "the client {name:?} already exists (`tollgate client reset-secret` gives it a new secret)"
            ),
            Self::NoSuchClient(name, hint) => {
                write!(f, "there is no client {name:?}{hint}; `tollgate client list` lists all clients")
            }
            Self::NoSuchScope { scope, file, known } => {
                write!(
                    f,
                    "there is no scope {scope:?} in {}: add it under [scopes], as in\n\n  [scopes]\n  {} = \"What it allows\"\n",
                    file.display(),
                    toml_edit::Key::new(scope.as_str()).display_repr()
                )?;
                if known.is_empty() { Ok(()) } else { write!(f, "\nThe scopes are: {}", known.join(", ")) }
            }
            Self::NotInList { client, key, name, hint } => write!(
                f,
                "{name:?} is not in the {key} of the client {client:?}{hint}; `tollgate client show {client}` lists them"
            ),
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
            _ => None,
        }
    }
}

/// A configuration that is open for a change.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// The path of the main file, as the program was given it.
    main: PathBuf,
    /// The file that is changed: the main one, or one that it includes.
    path: PathBuf,
    opened: Opened,
    text: String,
    document: DocumentMut,
    before: Result<Config, ConfigErrors>,
}

impl ConfigFile {
    /// Reads a configuration for a change. Other edits wait until it is saved or dropped. Errors in it are reported by
    /// `save`, because the change may correct them.
    pub(crate) fn open(path: &Path) -> Result<Self, EditError> {
        Self::open_one(path, path)
    }

    /// Reads one of the files of a configuration.
    pub(super) fn open_one(main: &Path, path: &Path) -> Result<Self, EditError> {
        let opened = Opened::open(path).map_err(|error| EditError::File(path.to_owned(), error))?;
        let text =
            std::str::from_utf8(opened.bytes()).map_err(|_| EditError::NotUtf8(path.to_owned()))?.to_owned();
        let before = read_edited(main, path, &text);
        let document = match (layout::plain(&text).parse::<DocumentMut>(), &before) {
            (Ok(document), _) => document,
            // The library's own error quotes the line, which may contain a secret.
            (Err(_), Err(errors)) => return Err(EditError::Syntax(errors.clone())),
            (Err(_), Ok(_)) => return Err(EditError::Unfaithful(path.to_owned(), None)),
        };
        if let Some(line) = layout::first_difference(&layout::plain(&text), &document.to_string()) {
            return Err(EditError::Unfaithful(path.to_owned(), Some(line)));
        }
        Ok(Self { main: main.to_owned(), path: path.to_owned(), opened, text, document, before })
    }

    /// Returns the file that is changed.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the change if the result is a valid configuration. Returns that configuration.
    pub(crate) fn save(self) -> Result<Config, EditError> {
        let text = layout::keep_lines(&self.text, &self.document.to_string());
        let config = read_edited(&self.main, &self.path, &text).map_err(|errors| match self.before {
            Ok(_) => EditError::WrongAfter(errors),
            Err(_) => EditError::WrongBefore(errors),
        })?;
        if text != self.text {
            self.opened.replace(text.as_bytes()).map_err(|error| EditError::File(self.path, error))?;
        }
        Ok(config)
    }
}
