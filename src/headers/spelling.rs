//! Header names that some servers treat as the same.

/// Maps a byte of a header name to its canonical form.
///
/// CGI-like servers pass headers as environment variables. In these names, `-` and `_` are the same, and on
/// some servers every other character that is neither a letter nor a digit.
pub(crate) fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Returns whether CGI-like servers treat the two names as the same.
pub(crate) fn same_variable(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| folded(*one) == folded(*other))
}
