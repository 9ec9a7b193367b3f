//! Changes of a gateway.toml: typed operations, drafts, previews of their effect, commits, and the history.
//!
//! An [`Operation`](operation::Operation) is one change. It is applied to a [`Document`](document::Document)
//! in memory, which preserves the text outside the change. A [`Draft`](draft::Draft) is a list of operations
//! that an operator collects. [`ChangeControl`](control::ChangeControl) stores drafts, shows their effect on
//! access, and commits them.

pub(crate) mod actor;
mod addresses;
pub(crate) mod audit;
mod clients;
pub(crate) mod commit;
mod config_file;
mod confirm;
pub(crate) mod conflict;
pub(crate) mod control;
mod difference_text;
pub(crate) mod document;
pub(crate) mod draft;
mod drafts;
mod edit;
pub(crate) mod entry;
pub(crate) mod environment;
pub(crate) mod error;
mod fault;
mod file;
mod generation;
pub(crate) mod hidden;
mod layout;
pub(crate) mod live;
pub(crate) mod new_secret;
pub(crate) mod operation;
mod operation_json;
pub(crate) mod permission;
pub(crate) mod preview;
pub(crate) mod proposals;
pub(crate) mod raw;
pub(crate) mod registration;
mod rollback;
pub(crate) mod routes;
mod secrets;
pub(crate) mod settings;
mod settle;
pub(crate) mod state;
pub(crate) mod submission;
mod table;
mod tables;
#[cfg(test)]
mod tests;
pub(crate) mod texts;
pub(crate) mod unconfirmed;
pub(crate) mod validity;
pub(crate) mod versions;
mod words;

pub(crate) use self::config_file::{ConfigFile, EditError};
pub(crate) use self::edit::ListEdit;
pub(crate) use self::file::FileError;
