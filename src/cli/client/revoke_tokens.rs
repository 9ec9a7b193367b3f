//! `tollgate client revoke-tokens`.

use std::path::Path;
use std::time::SystemTime;

use super::save;
use crate::change::operation::{Operation, millis};
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn revoke_tokens(path: &Path, name: &str) -> Result<(), Failure> {
    let operation = Operation::ClientEndTokens { id: name.to_owned(), at: millis(SystemTime::now()) };
    save::edit(path, |file| Ok(file.apply(&operation)?))?;
    output::print(&format!(
        "All tokens of the client {name:?} end. A running gateway refuses them within 2 seconds, and issues new ones.\n"
    ))
}
