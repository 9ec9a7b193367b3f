//! Translates existing descriptions into the text of a gateway.toml: an OpenAPI description of an API, or the
//! configuration of another gateway.
//!
//! A translation never drops anything silently: each part without an equivalent is reported with its
//! position. Every route requires a token. A route is left out if it restricts access in a way that cannot be
//! translated.

pub(crate) mod compare;
mod draft;
mod error;
mod kong;
mod name;
mod nginx;
pub(crate) mod openapi;
mod render;
pub(crate) mod stage;
#[cfg(test)]
mod tests;
mod traefik;
mod tyk;
mod yaml;

pub(crate) use self::draft::{Draft, Need};
pub(crate) use self::error::ImportError;
pub(crate) use self::render::render;

/// A gateway whose configuration can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gateway {
    Nginx,
    Kong,
    Tyk,
    Traefik,
}

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
