//! `tollgate schema`: the JSON Schema of gateway.toml, for editors.

use crate::cli::failure::Failure;
use crate::cli::output;

/// Written by hand; `tests` holds it against the configuration's reader.
const SCHEMA: &str = include_str!("schema.json");

pub(super) fn schema() -> Result<(), Failure> {
    output::print(SCHEMA)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
