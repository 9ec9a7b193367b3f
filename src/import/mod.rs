//! Descriptions that others wrote, translated into the text of a gateway.toml: an API in OpenAPI, or the configuration
//! of another gateway.
//!
//! A translation never drops anything silently: what has no equivalent is a finding with its position. Every route needs a
//! token. A route that keeps callers out in a way that cannot be translated is left out.

pub(crate) mod compare;
mod draft;
mod error;
mod kong;
mod name;
mod nginx;
pub(crate) mod openapi;
mod render;
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
