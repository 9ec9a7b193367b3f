//! gateway.toml, from its text to [`Config`].
//!
//! The file is parsed once. A [`Config`] contains no invalid value. Every error of the file is reported at
//! once, each with its line, its column, its key path, the value, and what to write instead.
//!
//! `document` reads the TOML with its positions, `compile` (one file for each table, on top of `reader`)
//! makes a [`Config`] or [`ConfigErrors`] of it. `settings` has the defaults and bounds, and `reference`
//! describes every key for the JSON Schema and for `docs/configuration.md`.
//!
//! ```
//! use std::path::Path;
//! use tollgate::config::Config;
//!
//! let text = "[server]\nlisten = [\"http://0.0.0.0:8080\"]\n";
//! let errors = Config::parse(text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap_err();
//! assert!(errors.to_string().starts_with("gateway.toml:2:11: server.listen[0]"));
//! ```

mod address;
mod compile;
mod document;
mod error;
mod gate_spec;
mod include;
#[cfg(feature = "gateway")]
pub(crate) mod metadata;
mod model;
mod reader;
mod reading;
#[cfg(feature = "gateway")]
pub(crate) mod reference;
#[cfg(feature = "gateway")]
pub(crate) mod restart;
mod secret;
pub(crate) mod settings;
mod sources;
mod suggest;
#[cfg(test)]
mod tests;
mod units;
mod values;
mod variables;
mod warning;

pub use crate::route::pattern::{ForeignSyntax, Pattern, PatternError};
pub use crate::route::template::{Template, TemplateError};
pub use address::{AddressRange, Host, Origin, RangeError, Scheme, UrlError};
pub use error::{ConfigError, ConfigErrors, ErrorKind, Position};
pub use gate_spec::FromFileError;
#[cfg(feature = "gateway")]
pub(crate) use include::included_files;
pub use model::*;
#[cfg(feature = "gateway")]
pub(crate) use reader::join as key_path;
#[cfg(feature = "gateway")]
pub(crate) use suggest::hint as suggestion;
#[cfg(feature = "gateway")]
pub(crate) use units::grouped;
pub use units::{Rate, UnitError, parse_duration, parse_rate, parse_size};
#[cfg(feature = "gateway")]
pub(crate) use units::{Shown as ShownDuration, ShownSize};
#[cfg(feature = "gateway")]
pub(crate) use values::is_readable_by_others;
pub use warning::{ConfigWarning, Lint};
