//! `[store]`.

use super::shared_store;
use crate::config::model::StoreKind;
use crate::config::reader::{Table, Value};
use crate::config::warning::Lint;

/// The names of the kinds.
pub(in crate::config) const KINDS: [&str; 3] = ["journal", "memory", "redis"];

pub(super) fn store(root: &mut Table<'_>) -> Option<StoreKind> {
    match root.take("store") {
        None => Some(StoreKind::default()),
        Some(value) => value.table("a table: [store]", read)?,
    }
}

fn read(table: &mut Table<'_>) -> Option<StoreKind> {
    let kind = table.take("kind");
    let keys = shared_store::Keys::take(table);
    let name = kind.as_ref().map(|kind| kind.choice(&KINDS.map(|name| (name, name))));
    let kind = match name {
        Some(None) => return None,
        Some(Some("redis")) => return keys.read(table).map(|options| StoreKind::Redis(Box::new(options))),
        Some(Some("memory")) => {
            warn_of_restarts(kind.as_ref());
            StoreKind::Memory
        }
        Some(Some(_)) => StoreKind::Journal,
        None => StoreKind::default(),
    };
    keys.refuse();
    Some(kind)
}

fn warn_of_restarts(kind: Option<&Value<'_>>) {
    if let Some(kind) = kind {
        kind.warn(
            Lint::ForgetsOnRestart,
            "keeps tokens in memory alone: a restart ends all of them, and a client assertion from a clock that is \
             ahead can be used once more",
        );
    }
}
