//! `[store]`.

use crate::config::model::StoreKind;
use crate::config::reader::{Table, Value};
use crate::config::warning::Lint;

/// The names of the kinds.
pub(in crate::config) const KINDS: [(&str, StoreKind); 2] =
    [("journal", StoreKind::Journal), ("memory", StoreKind::Memory)];

pub(super) fn store(root: &mut Table<'_>) -> StoreKind {
    let read = |value: &Value<'_>| {
        value.table("a table: [store]", |table| table.or("kind", StoreKind::default(), kind))
    };
    root.take("store").and_then(|value| read(&value)).unwrap_or_default()
}

fn kind(value: Value<'_>) -> Option<StoreKind> {
    let kind = value.choice(&KINDS)?;
    if kind == StoreKind::Memory {
        value.warn(
            Lint::ForgetsOnRestart,
            "keeps tokens in memory alone: a restart ends all of them, and a client assertion from a clock that is \
             ahead can be used once more",
        );
    }
    Some(kind)
}
