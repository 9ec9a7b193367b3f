//! Rollbacks: a version of the history becomes a draft.

use toml_edit::{Item, Table};

use super::actor::Actor;
use super::audit::{AuditLine, Event};
use super::conflict::Conflict;
use super::control::ChangeControl;
use super::document::{Document, find};
use super::draft::Draft;
use super::error::ChangeError;
use super::operation::Operation;
use super::settings::item_as_json;
use super::table::insert_last;

/// The keys of a client that a rollback does not change.
const KEPT: [&str; 3] = ["secret", "secrets", "token_generation"];

impl ChangeControl {
    /// Creates a draft that restores a version. With `keep_today`, the secrets of clients and `[admin]` keep
    /// their current values, so that secrets that were reset do not become valid again.
    ///
    /// # Errors
    /// Fails if the version does not exist, or if it had a credential that no longer exists. That error names
    /// the credential.
    pub(crate) fn rollback(
        &self,
        actor: &Actor,
        number: u64,
        keep_today: bool,
    ) -> Result<Draft, ChangeError> {
        let hidden = self.version_texts(number)?;
        let filled = self.key.refill(&hidden, &self.texts()?, keep_today);
        let texts = filled.map_err(|conflict| ChangeError::Conflict(0, conflict))?;
        let named = texts.named().into_iter();
        let files = named.map(|(name, text)| (name.display().to_string(), text)).collect();
        let restore = Operation::Restore { version: number, keep_today, files };
        let draft = self.begin(actor, &format!("Roll back to version {number}"), vec![restore])?;
        self.record(&AuditLine::now(actor, Event::Rollback, draft.id.as_str(), "draft").version(number))?;
        Ok(draft)
    }
}

impl Document {
    /// Replaces the texts of files by those of a version.
    pub(super) fn restore(&mut self, files: &[(String, String)], keep_today: bool) -> Result<(), Conflict> {
        let today = self.texts();
        for (name, text) in files {
            self.replace_text(Some(name), text)?;
        }
        if keep_today { self.keep_today(&Document::new(&today)) } else { Ok(()) }
    }

    fn keep_today(&mut self, today: &Document) -> Result<(), Conflict> {
        let names = |document: &Document| -> Vec<String> {
            let clients = document.roots().filter_map(|root| root.get("clients")?.as_table_like());
            clients.flat_map(|clients| clients.iter()).map(|(name, _)| name.to_owned()).collect()
        };
        let then = names(self);
        for id in names(today).into_iter().filter(|id| then.contains(id)) {
            self.turn_to_client(&id)?;
            let inline = self.is_inline(&id);
            for key in KEPT {
                let now = today.roots().find_map(|root| find(root, &["clients", &id, key]));
                let client = self.client(&id)?;
                if client.get(key).map(item_as_json) == now.map(item_as_json) {
                    continue;
                }
                let value = now.and_then(|now| now.clone().into_value().ok());
                match (client.get_mut(key), value) {
                    (Some(Item::Value(old)), Some(mut new)) => {
                        *new.decor_mut() = old.decor().clone();
                        *old = new;
                    }
                    (there, value) => {
                        if there.is_some() {
                            client.remove(key);
                        }
                        if let Some(mut new) = value {
                            new.decor_mut().clear();
                            insert_last(client, inline, key, new);
                        }
                    }
                }
            }
        }
        self.keep_table("admin", today)
    }

    /// Restores the current content of a table in the main file.
    fn keep_table(&mut self, name: &str, today: &Document) -> Result<(), Conflict> {
        let now = today.roots().find_map(|root| root.get(name)).cloned();
        self.turn_to(|root| root.contains_key(name))?;
        let then = self.current().get(name).cloned();
        if now.as_ref().map(item_as_json) == then.as_ref().map(item_as_json) {
            return Ok(());
        }
        self.remove_table(&[], name)?;
        match now {
            None => Ok(()),
            Some(Item::Table(mut table)) => {
                let mut position = self.end();
                reposition(&mut table, &mut position);
                self.current().insert(name, Item::Table(table));
                Ok(())
            }
            Some(item) => {
                self.current().insert(name, item);
                Ok(())
            }
        }
    }
}

/// Moves a table and its subtables to the end of the file, in their present order.
fn reposition(table: &mut Table, position: &mut isize) {
    table.set_position(Some(*position));
    *position += 1;
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => reposition(table, position),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| reposition(table, position)),
            Item::None | Item::Value(_) => {}
        }
    }
}
