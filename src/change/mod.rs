//! Editing gateway.toml: only what is to change changes, and what would not be taken up is not written.

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

/// Why a change of the configuration is not made.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum EditError {
    /// The file itself.
    File(PathBuf, FileError),
    /// Not UTF-8, as TOML must be.
    NotUtf8(PathBuf),
    /// Not TOML, so there is nothing to change in it. What the configuration's own reader says.
    Syntax(ConfigErrors),
    /// TOML that could not be changed without touching the rest of it; the first line of that, if it is known.
    Unfaithful(PathBuf, Option<usize>),
    /// Something else than a table stands where a table should.
    NotATable(String),
    /// A client of that name is there.
    ClientExists(String),
    /// No client of that name is there; the nearest name, if one is near.
    NoSuchClient(String, String),
    /// A scope that does not stand in `[scopes]`.
    NoSuchScope {
        /// The scope.
        scope: String,
        /// The configuration.
        file: PathBuf,
        /// What stands there.
        known: Vec<String>,
    },
    /// A name to remove that is not in the list.
    NotInList {
        /// The client.
        client: String,
        /// The list.
        key: &'static str,
        /// The name.
        name: String,
        /// The nearest name, if one is near.
        hint: String,
    },
    /// The file was wrong before already.
    WrongBefore(ConfigErrors),
    /// The file would be wrong after the change.
    WrongAfter(ConfigErrors),
}

impl EditError {
    /// Whether the arguments or the configuration are at fault, and not the machine or the moment.
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
            Self::NotUtf8(path) => write!(f, "{} is not UTF-8, as TOML must be", path.display()),
            Self::Syntax(errors) => write!(f, "nothing is changed, the file is not TOML:\n{errors}"),
            Self::Unfaithful(path, None) => write!(
                f,
                "{} cannot be changed in one place without changing others; edit it by hand",
                path.display()
            ),
            Self::Unfaithful(path, Some(line)) => write!(
                f,
                "{}:{line}: this line could not stay as it is written (unusual spaces in a name?); write it plainly, or edit \
                 the file by hand",
                path.display()
            ),
            Self::NotATable(key) => {
                write!(f, "{key} is not a table; mend it by hand (`tollgate check` says how)")
            }
            Self::ClientExists(name) => write!(
                f,
                "there is a client {name:?} already (`tollgate client reset-secret` gives it a new secret)"
            ),
            Self::NoSuchClient(name, hint) => {
                write!(f, "there is no client {name:?}{hint}; `tollgate client list` shows those there are")
            }
            Self::NoSuchScope { scope, file, known } => {
                write!(
                    f,
                    "there is no scope {scope:?} in {}: add it under [scopes], as in\n\n  [scopes]\n  {} = \"What it is good for\"\n",
                    file.display(),
                    toml_edit::Key::new(scope.as_str()).display_repr()
                )?;
                if known.is_empty() { Ok(()) } else { write!(f, "\nThose there are: {}", known.join(", ")) }
            }
            Self::NotInList { client, key, name, hint } => write!(
                f,
                "{name:?} is not in the {key} of the client {client:?}{hint}; `tollgate client show {client}` lists them"
            ),
            Self::WrongBefore(errors) => {
                write!(f, "nothing is changed: the file has errors of its own, which come first:\n{errors}")
            }
            Self::WrongAfter(errors) => {
                write!(f, "nothing is changed: with the change the file would be wrong:\n{errors}")
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

/// A configuration on its way from one text to the next.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// The main file, as it was named to the program.
    main: PathBuf,
    /// The file that is changed: the main one, or one that it includes.
    path: PathBuf,
    opened: Opened,
    text: String,
    document: DocumentMut,
    before: Result<Config, ConfigErrors>,
}

impl ConfigFile {
    /// Reads a configuration for a change; other edits wait until it is saved or dropped. What is wrong with it
    /// counts only once it is saved: the change may be what mends it.
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
            // Not the library's own error: it quotes the line, and a secret may stand in it.
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

    /// Writes the change, if the result is a good configuration, and gives it back.
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
