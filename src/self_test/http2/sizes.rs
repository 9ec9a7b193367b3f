//! Heads that become large only when they are decompressed.

use super::frames::{block, head, integer};
use super::head::{fields, message};
use crate::config::Limits;
use crate::self_test::attack::{Attack, Suite};
use crate::self_test::message::Request;

/// The size of the field that is repeated. It fits in the table that every server has at first (RFC 9113
/// §6.5.2).
const FIELD: usize = 4_000;

/// Adds a compression bomb: one field in the table of the connection, and references of one byte to it. The
/// decompressed head is a little larger than the limit.
pub(super) fn compressed(request: &Request<'_>, limits: &Limits, suite: &mut Suite) {
    let mut bomb = block(&fields(request));
    // A literal that is added to the table (RFC 7541 §6.2.1).
    bomb.extend([0x40, 1, b'x']);
    integer(&mut bomb, FIELD);
    bomb.resize(bomb.len() + FIELD, b'x');
    // The first index after those of the static table.
    bomb.resize(bomb.len() + limits.max_header_size / FIELD + 1, 0x80 | 62);
    suite.refused(
        Attack::HeaderSize,
        "a compressed head above the limit",
        message(request, head(&bomb, true)),
    );
}
