//! The look at request heads, for a fuzz target to feed.

use super::head_scan::HeadScan;

/// The verdicts on all heads in these pieces, and whether the scan could not follow to the end.
pub fn head_verdicts<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<bool>, bool) {
    let mut scan = HeadScan::default();
    let mut verdicts = Vec::new();
    for piece in pieces {
        scan.see(piece, |ambiguous| verdicts.push(ambiguous));
    }
    (verdicts, scan.is_lost())
}
