//! Secrets: where they come from, and a type that does not print them.

use std::{fmt, io::Read, path::Path};

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret in the clear. Its `Debug` prints nothing of it, and its bytes are overwritten when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretString(String);

impl SecretString {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(…)")
    }
}

impl PartialEq for SecretString {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretString {}

/// Where the file says a secret is.
pub(super) enum Source<'a> {
    /// In the file itself.
    Literal(&'a str),
    /// In an environment variable.
    Environment(&'a str),
    /// In another file.
    File(&'a str),
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Environment(name)
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path)
        } else {
            Self::Literal(text)
        }
    }
}

/// The largest secret file that is read.
const MAX_FILE: u64 = 64 << 10;

/// Reads a secret from a file, without the line breaks at its end, which editors add.
pub(super) fn read_file(path: &Path) -> std::io::Result<SecretString> {
    let mut text = String::new();
    let outcome =
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    let mut secret = SecretString::new(text);
    outcome?;
    if secret.0.len() as u64 > MAX_FILE {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is larger than 64 KiB"));
    }
    let kept = secret.0.trim_end_matches(['\r', '\n']).len();
    secret.0.truncate(kept);
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", SecretString::new("Password1".into())).contains("Password1"));
    }
}
