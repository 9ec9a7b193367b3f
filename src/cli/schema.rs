//! `tollgate schema`: the JSON Schema of gateway.toml, for editors.

use super::{Failure, output};

/// Written by hand; `tests` holds it against the configuration's reader.
const SCHEMA: &str = include_str!("schema.json");

pub(super) fn schema() -> Result<(), Failure> {
    output::print(SCHEMA)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
