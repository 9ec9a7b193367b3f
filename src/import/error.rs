//! Reasons why an import fails.

use std::{error, fmt};

use crate::config::Position;

/// The reason why a file cannot be parsed in the expected format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportError {
    /// The position, if the error has one.
    pub(crate) position: Option<Position>,
    /// The message.
    pub(crate) text: String,
}

impl ImportError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { position: None, text: text.into() }
    }

    pub(super) fn at(position: Position, text: impl Into<String>) -> Self {
        Self { position: Some(position), text: text.into() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column, .. }) = self.position {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl error::Error for ImportError {}
