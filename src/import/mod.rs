//! Descriptions that others wrote, translated into the text of a gateway.toml: an API in OpenAPI, or the configuration
//! of another gateway.
//!
//! A translation never opens more than the source does, and never drops anything silently: what has no equivalent is a
//! [`Finding`] with its position. A route that cannot be translated is left out, so its requests stay 404.

pub(crate) mod compare;
mod draft;
mod kong;
mod nginx;
pub(crate) mod openapi;
mod render;
#[cfg(test)]
mod tests;
mod traefik;
mod tyk;
mod yaml;

use std::{error, fmt};

pub(crate) use self::draft::{Draft, Need};
pub(crate) use self::render::render;

use crate::config::Position;

/// A gateway whose configuration can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gateway {
    Nginx,
    Kong,
    Tyk,
    Traefik,
}

/// Why a file cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportError {
    /// Where, if the error has a position.
    pub(crate) position: Option<Position>,
    /// What is wrong.
    pub(crate) text: String,
}

impl ImportError {
    fn new(text: impl Into<String>) -> Self {
        Self { position: None, text: text.into() }
    }

    fn at(position: Position, text: impl Into<String>) -> Self {
        Self { position: Some(position), text: text.into() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl error::Error for ImportError {}

/// Translates the configuration of another gateway.
///
/// # Errors
/// [`ImportError`] if the text is not such a configuration.
pub(crate) fn gateway(kind: Gateway, text: &str) -> Result<Draft, ImportError> {
    let mut draft = match kind {
        Gateway::Nginx => nginx::import(text)?,
        Gateway::Kong => kong::import(text)?,
        Gateway::Tyk => tyk::import(text)?,
        Gateway::Traefik => traefik::import(text)?,
    };
    draft.settle();
    Ok(draft)
}
