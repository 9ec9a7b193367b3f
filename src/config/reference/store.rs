//! `[store]`.

use super::key::{Key, Kind, Table};
use crate::config::compile::STORE_KINDS;

pub(super) fn store() -> Table {
    Table::new("[store]", "Where issued tokens are kept.", "[store]\n§").keys([Key::new(
        "kind",
        Kind::Choice(STORE_KINDS.iter().map(|(name, _)| *name).collect()),
        "`journal`: in memory, and in a journal in `state_dir` from which a restart takes them. Revocations and used \
         client assertions are on disk before they are answered, tokens 10 ms after they were issued. \
         `state_dir` must be on a local disk. `memory`: in memory alone. A restart then ends every token, and \
         forgets when each secret was last used and which client assertions were used; those that are older than the \
         restart are refused by their date. Left out, a gateway whose `state_dir` cannot be used starts with tokens in memory alone, \
         and its log says so.",
    )
    .default_note("`journal` if `state_dir` can be used, else `memory`")
    .example(r#""memory""#)
    .wrong(r#""disk""#)])
}
