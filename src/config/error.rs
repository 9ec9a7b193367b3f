//! What is wrong with a configuration file, where, and what would be right.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A position in the configuration file, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

/// The class of a configuration error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration file itself cannot be read.
    Unreadable,
    /// Not TOML.
    Syntax,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that must be there and is not.
    MissingKey,
    /// A value of another TOML type than the key wants.
    WrongType,
    /// A value of the right type that the key does not allow.
    InvalidValue,
    /// A name that must stand elsewhere in the file and does not: a scope, an upstream.
    UnknownName,
    /// Something that may stand only once stands again.
    Duplicate,
    /// Two settings that cannot both hold.
    Conflict,
    /// A secret in the clear where only its hash may stand.
    PlaintextSecret,
    /// A plain listener that is open to the network.
    InsecureListener,
    /// A secret that could not be had from the environment or its file.
    SecretUnavailable,
    /// A file that the configuration names cannot be read.
    FileUnavailable,
    /// Two routes of which neither is more specific.
    RouteConflict,
    /// A route on a path that one of the gateway's own endpoints answers.
    ShadowsEndpoint,
    /// More of something than the gateway can hold.
    TooMany,
}

/// One error of a configuration file. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The class.
    pub kind: ErrorKind,
    /// The file, as it was named to the program.
    pub file: PathBuf,
    /// Where in the file; nothing if the file could not be read at all.
    pub place: Option<Place>,
    /// The key path, such as `clients.server.scopes[1]`; empty where there is none.
    pub key: String,
    /// The offending value as it may be shown: a secret is replaced by words.
    pub value: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Every error of a configuration file, in the order of its lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `None` if there is no error to report.
    pub(super) fn collect(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(|error| error.place);
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The one error of a file that cannot be read.
    pub(super) fn unreadable(file: &Path, place: Option<Place>, message: String) -> Self {
        Self(vec![ConfigError {
            kind: ErrorKind::Unreadable,
            file: file.to_owned(),
            place,
            key: String::new(),
            value: None,
            message,
        }])
    }

    /// The errors in the order of their lines.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// How many there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    /// One error a line, then how many there were.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.0 {
            writeln!(f, "{error}")?;
        }
        match self.0.len() {
            1 => f.write_str("1 error"),
            count => write!(f, "{count} errors"),
        }
    }
}

impl std::error::Error for ConfigErrors {}
