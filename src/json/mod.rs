//! Parsing of JSON that no request waits for, with little code.

#[cfg(feature = "gateway")]
pub(crate) mod members;

use serde::de::DeserializeOwned;
use serde_json::Error;

/// Parses a text.
///
/// `serde_json::from_str` has a parser of its own, which would be compiled beside that for bytes, with the code
/// of every type that it reads.
///
/// # Errors
/// Fails if the text is not JSON, or not that of a `T`.
pub(crate) fn parse_text<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_slice(text.as_bytes())
}
