//! Secrets: where they come from, and types that do not show them.

use std::{fmt, io::Read, path::Path};

use argon2::{Params, password_hash::phc::PasswordHash};
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

/// A client secret's argon2id hash: a PHC string that was checked to be one.
///
/// Not a secret in the clear, but enough to guess a weak one offline: its `Debug` shows nothing either.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(Box<str>);

/// Why a text is not a hash that a client secret can be checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretHashError {
    /// Not a PHC string at all: probably the secret itself.
    Plaintext,
    /// Begins like a PHC string and is not one.
    Malformed,
    /// Another algorithm than argon2id.
    Algorithm,
    /// Another version of argon2 than 19.
    Version,
    /// Parameters that argon2 does not allow.
    Parameters,
    /// Parameters that would take too much memory or time at every check.
    TooCostly,
    /// The salt or the hash is missing, or too short to mean anything.
    Incomplete,
}

impl SecretHash {
    /// The most memory a hash may ask for, in KiB: 1 GiB.
    pub const MAX_MEMORY_KIB: u32 = 1 << 20;
    /// The most passes a hash may ask for.
    pub const MAX_PASSES: u32 = 64;
    /// The most lanes a hash may ask for.
    pub const MAX_LANES: u32 = 64;

    /// Checks that `text` is a whole argon2id PHC string at a bearable cost.
    ///
    /// # Errors
    /// What else it is.
    pub fn parse(text: &str) -> Result<Self, SecretHashError> {
        if !text.starts_with('$') {
            return Err(SecretHashError::Plaintext);
        }
        let phc = PasswordHash::new(text).map_err(|_| SecretHashError::Malformed)?;
        if phc.algorithm.as_str() != "argon2id" {
            return Err(SecretHashError::Algorithm);
        }
        if phc.version != Some(19) {
            return Err(SecretHashError::Version);
        }
        let params = Params::try_from(&phc).map_err(|_| SecretHashError::Parameters)?;
        if params.m_cost() > Self::MAX_MEMORY_KIB
            || params.t_cost() > Self::MAX_PASSES
            || params.p_cost() > Self::MAX_LANES
        {
            return Err(SecretHashError::TooCostly);
        }
        match (phc.salt, phc.hash) {
            (Some(_), Some(hash)) if hash.len() >= 16 => Ok(Self(text.into())),
            _ => Err(SecretHashError::Incomplete),
        }
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl fmt::Display for SecretHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "is not a hash (a secret in the clear must not stand in the file)",
            Self::Malformed => {
                "begins like a PHC string and is not a well-formed one (cut off, or a sign too many?)"
            }
            Self::Algorithm => "is hashed with another algorithm than argon2id",
            Self::Version => "is hashed with another version of argon2 than v=19",
            Self::Parameters => "has parameters that argon2 does not allow",
            Self::TooCostly => {
                "asks for more than 1 GiB of memory (m=1048576), 64 passes (t) or 64 lanes (p)"
            }
            Self::Incomplete => "lacks its salt or its hash, or they are too short",
        })
    }
}

impl std::error::Error for SecretHashError {}

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

    const SALT_AND_HASH: &str = "c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";

    #[test]
    fn only_whole_argon2id_hashes_at_a_bearable_cost() {
        let with = |head: &str| format!("{head}${SALT_AND_HASH}");
        let table = [
            (with("$argon2id$v=19$m=19456,t=2,p=1"), None),
            (with("$argon2id$v=19$m=1048576,t=2,p=1"), None),
            ("Password1".to_owned(), Some(SecretHashError::Plaintext)),
            (String::new(), Some(SecretHashError::Plaintext)),
            ("$ecret".to_owned(), Some(SecretHashError::Algorithm)),
            ("$argon2id$v=19$m=19456,t=2,p=1".to_owned(), Some(SecretHashError::Incomplete)),
            (format!("{}$x", with("$argon2id$v=19$m=19456,t=2,p=1")), Some(SecretHashError::Malformed)),
            (with("$argon2i$v=19$m=19456,t=2,p=1"), Some(SecretHashError::Algorithm)),
            (with("$argon2id$v=16$m=19456,t=2,p=1"), Some(SecretHashError::Version)),
            (with("$argon2id$v=19$m=1,t=2,p=1"), Some(SecretHashError::Parameters)),
            (with("$argon2id$v=19$m=1048577,t=2,p=1"), Some(SecretHashError::TooCostly)),
            (with("$argon2id$v=19$m=19456,t=65,p=1"), Some(SecretHashError::TooCostly)),
            (with("$argon2id$v=19$m=19456,t=2,p=65"), Some(SecretHashError::TooCostly)),
        ];
        for (text, error) in table {
            assert_eq!(SecretHash::parse(&text).err(), error, "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", SecretString::new("Password1".into())).contains("Password1"));
        let hash = SecretHash::parse(&format!("$argon2id$v=19$m=19456,t=2,p=1${SALT_AND_HASH}")).unwrap();
        assert!(!format!("{hash:?}").contains("argon2id"));
    }
}
