//! Why an import fails.

use std::{error, fmt};

use crate::config::Position;

/// Why a file cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportError {
    /// Where, if the error has a position.
    pub(crate) position: Option<Position>,
    /// What is wrong.
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
