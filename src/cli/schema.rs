//! `tollgate schema`: the JSON Schema of gateway.toml, for editors, or the reference, for people.

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::reference;

pub(super) fn schema(markdown: bool) -> Result<(), Failure> {
    output::print(&if markdown { reference::markdown() } else { reference::json_schema() })
}
