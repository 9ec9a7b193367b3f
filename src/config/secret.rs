//! Secrets: where they come from, and types that do not show them.

use std::{fmt, io::Read, path::Path};

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret in the clear. Its `Debug` shows nothing, and its bytes are wiped when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretString(String);

impl SecretString {
    /// Keeps `text` as a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that needs it.
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

/// The largest secret file that is read: nobody's secret is longer.
const MAX_FILE: u64 = 64 << 10;

/// Reads a secret from a file, without the line end that editors put behind it.
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
