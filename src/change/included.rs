//! Finds the file in which a client is, or should be.

use std::fs;
use std::path::Path;

use toml_edit::{DocumentMut, Item};

use super::{ConfigFile, EditError, layout};
use crate::config::included_files;

impl ConfigFile {
    /// Changes to the file that has this client. Stays with the present file if none has it.
    pub(super) fn turn_to_client(&mut self, id: &str) -> Result<(), EditError> {
        if has_client(&self.document, id) {
            return Ok(());
        }
        self.turn_to_last(|document| has_client(document, id))
    }

    /// Changes to the file for a new client: the main one, unless all clients are in files that it includes.
    pub(super) fn turn_to_clients(&mut self) -> Result<(), EditError> {
        if self.document.contains_key("clients") {
            return Ok(());
        }
        self.turn_to_last(|document| document.contains_key("clients"))
    }

    fn turn_to_last(&mut self, is_meant: impl Fn(&DocumentMut) -> bool) -> Result<(), EditError> {
        let files = included_files(&self.main);
        let Some(file) = files.iter().rev().find(|file| parsed(file).is_some_and(|it| is_meant(&it))) else {
            return Ok(());
        };
        *self = Self::open_one(&self.main, file)?;
        Ok(())
    }
}

fn parsed(file: &Path) -> Option<DocumentMut> {
    layout::plain(&fs::read_to_string(file).ok()?).parse().ok()
}

fn has_client(document: &DocumentMut, id: &str) -> bool {
    document.get("clients").and_then(Item::as_table_like).is_some_and(|clients| clients.contains_key(id))
}
