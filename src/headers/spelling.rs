//! Names that some servers take for one another.

/// Maps a byte of a header name to the byte that it is taken for.
///
/// CGI-like servers pass headers on as variables, in which `-`, `_` and, with some servers, every other character that is
/// neither a letter nor a digit are the same.
pub(crate) fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Returns whether a server of the CGI family takes one name for the other.
pub(crate) fn same_variable(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| folded(*one) == folded(*other))
}
