//! The finalizer of splitmix64, for request ids and for picking servers. It is not a source of secrets.

/// Maps a number to one that looks unrelated. Every input bit affects every output bit, and no two numbers
/// have the same result.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
