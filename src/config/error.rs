//! Errors of a configuration file: the problem, its position, and what to write instead.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::sorting::sort_by_key;

/// A position in a configuration file. Both numbers start at 1; columns count characters.
///
/// [`Config::file_of`](super::Config::file_of) returns the file. Positions are in the order of the files, the
/// main one first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Position {
    /// The main file is 0, those that it includes follow.
    pub(super) file: u32,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Position {
    /// Returns a position in the main file.
    #[must_use]
    pub fn new(line: u32, column: u32) -> Self {
        Self { file: 0, line, column }
    }

    /// Returns the index of the file: 0 is the main one.
    pub(super) fn file_index(self) -> usize {
        usize::try_from(self.file).unwrap_or(usize::MAX)
    }

    /// Returns the line without the column.
    pub(super) fn line_in_file(self) -> (u32, u32) {
        (self.file, self.line)
    }
}

/// The class of a configuration error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration file itself cannot be read.
    Unreadable,
    /// Not TOML.
    Syntax,
    /// A key that the table does not have.
    UnknownKey,
    /// A required key that is missing.
    MissingKey,
    /// A value of the wrong TOML type.
    WrongType,
    /// A value of the right TOML type that the key does not accept.
    InvalidValue,
    /// A name that is not defined in the file: a scope, an upstream.
    UnknownName,
    /// Something that is in the file twice and may be there only once.
    Duplicate,
    /// Two settings that contradict each other.
    Conflict,
    /// A secret in the clear where only its hash is accepted.
    PlaintextSecret,
    /// A plain listener that is open to the network.
    InsecureListener,
    /// A secret that could not be read from the environment or from its file.
    SecretUnavailable,
    /// An environment variable that is not set.
    VariableUnset,
    /// A file that the configuration names cannot be read.
    FileUnavailable,
    /// A file that the configuration names holds something that cannot be used there.
    FileUnusable,
    /// Two routes of which neither is more specific.
    RouteConflict,
    /// A route on the path of one of the gateway's own endpoints.
    ShadowsEndpoint,
    /// An access test of `[[expect]]` that the configuration violates.
    ExpectationViolated,
    /// More of something than the gateway accepts.
    TooMany,
}

impl ErrorKind {
    /// Returns the name that scripts see, such as `unknown-key`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::InvalidValue => "invalid-value",
            Self::UnknownName => "unknown-name",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::PlaintextSecret => "plaintext-secret",
            Self::InsecureListener => "insecure-listener",
            Self::SecretUnavailable => "secret-unavailable",
            Self::VariableUnset => "variable-unset",
            Self::FileUnavailable => "file-unavailable",
            Self::FileUnusable => "file-unusable",
            Self::RouteConflict => "route-conflict",
            Self::ShadowsEndpoint => "shadows-endpoint",
            Self::ExpectationViolated => "expectation-violated",
            Self::TooMany => "too-many",
        }
    }
}

/// One error of a configuration file. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The class.
    pub kind: ErrorKind,
    /// The path of the file, as the program was given it.
    pub file: PathBuf,
    /// The position in the file, or `None` if the file could not be read at all.
    pub position: Option<Position>,
    /// The key path, such as `clients.server.scopes[1]`; empty if the error is not about a key.
    pub key: String,
    /// The wrong value, as far as it may be shown: a secret is not.
    pub value: Option<String>,
    /// The problem, and what to write instead.
    pub message: String,
}

impl ConfigError {
    /// Makes an error that was found when the compiled configuration was put to use.
    #[cfg(feature = "gateway")]
    pub(crate) fn late(
        kind: ErrorKind,
        file: &Path,
        position: Position,
        key: String,
        message: impl Into<String>,
    ) -> Self {
        let (file, message) = (file.to_owned(), message.into());
        Self { kind, file, position: Some(position), key, value: None, message }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column, .. }) = self.position {
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
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    files: Vec<PathBuf>,
}

impl ConfigErrors {
    /// Sorts the errors; `None` if there are none.
    pub(crate) fn collect(errors: Vec<ConfigError>) -> Option<Self> {
        (!errors.is_empty()).then(|| Self::sorted(errors))
    }

    /// Sorts the errors, of which there is at least one.
    pub(crate) fn sorted(mut errors: Vec<ConfigError>) -> Self {
        sort_by_key(&mut errors, |error| error.position);
        Self { errors, files: Vec::new() }
    }

    /// Adds the files that the configuration names.
    pub(crate) fn with_files(self, files: Vec<PathBuf>) -> Self {
        Self { files, ..self }
    }

    /// Returns the files that the configuration names, as far as it could be read: a change of one of them
    /// may remove an error.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Makes the only error of a file that cannot be read.
    pub(super) fn unreadable(file: &Path, position: Option<Position>, message: String) -> Self {
        Self::sorted(vec![ConfigError {
            kind: ErrorKind::Unreadable,
            file: file.to_owned(),
            position,
            key: String::new(),
            value: None,
            message,
        }])
    }

    /// Iterates over the errors in the order of their lines.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }

    /// Returns the number of errors: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.errors.len()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.iter()
    }
}

impl fmt::Display for ConfigErrors {
    /// Writes one error per line, then their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "{error}")?;
        }
        match self.errors.len() {
            1 => f.write_str("1 error"),
            count => write!(f, "{count} errors"),
        }
    }
}

impl std::error::Error for ConfigErrors {}
