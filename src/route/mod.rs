//! Routing: the canonical path, the host, path patterns, conflicts between routes, and the route table.
//!
//! Everything here is pure: no socket, no clock, no configuration file. The configuration reads its patterns
//! with [`pattern`] and finds its [`conflicts`]; the proxy looks requests up in the [`table`](self::table).

pub mod conflicts;
#[cfg(feature = "gateway")]
pub mod host;
#[cfg(feature = "gateway")]
mod index;
#[cfg_attr(
    not(feature = "gateway"),
    expect(dead_code, reason = "without the gateway only patterns are checked")
)]
pub mod marks;
#[cfg_attr(
    not(feature = "gateway"),
    expect(dead_code, reason = "without the gateway only patterns are checked")
)]
pub mod path;
pub mod pattern;
#[cfg(feature = "gateway")]
mod readings;
#[cfg(feature = "gateway")]
pub mod rewrite;
#[cfg(feature = "gateway")]
pub mod search;
#[cfg(feature = "gateway")]
pub mod strip;
#[cfg(feature = "gateway")]
pub mod table;
pub mod template;
#[cfg(feature = "gateway")]
mod trie;
pub mod windows;
