//! Hashes of client secrets.

use std::fmt;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use sha2::{Digest as _, Sha256};

use crate::oauth::secret::Secret;

/// The most memory that a hash may need, in KiB: 128 MiB. Each hashing thread keeps as much.
const MAX_MEMORY_KIB: u32 = 128 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;
/// The most work of one hash, in KiB times passes. Every failed attempt of anybody, known or not, costs as
/// much as the most expensive client's hashes; this is about half a second of a core.
const MAX_COST: u64 = 512 * 1024;
/// The shortest accepted hash, in bytes.
const SHORTEST_HASH: usize = 16;
/// The length of a fingerprint, in bytes: enough to distinguish the secrets of one client.
const FINGERPRINT: usize = 8;

/// The hash of a client secret: argon2id, salted, written as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash {
    phc: PasswordHash,
    params: Params,
}

/// The reason why a text is not an acceptable hash of a client secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretHashError {
    /// The text is not a PHC string. It is probably the secret itself.
    Plaintext,
    /// The text begins like a PHC string but is malformed.
    Malformed,
    /// The algorithm is not argon2id.
    Algorithm,
    /// The version of argon2 is not 19.
    Version,
    /// argon2 does not allow the parameters.
    Parameters,
    /// The parameters would need too much memory or time for every check.
    TooCostly,
    /// The salt or the hash is missing or too short.
    Incomplete,
}

impl fmt::Display for SecretHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "is not a hash (the secret itself must not be in the file)",
            Self::Malformed => {
                "begins like a PHC string, but is malformed (was it cut off, or is there an extra character?)"
            }
            Self::Algorithm => "is hashed with another algorithm than argon2id",
            Self::Version => "is hashed with another version of argon2 than v=19",
            Self::Parameters => "has parameters that argon2 does not allow",
            Self::TooCostly => {
                "would let every failed attempt cost too much: at most 128 MiB of memory (m=131072), 16 passes (t), \
                 16 lanes (p), and 524288 for m times t; m=19456,t=2,p=1 is recommended"
            }
            Self::Incomplete => "lacks its salt or its hash, or they are too short",
        })
    }
}

impl std::error::Error for SecretHashError {}

impl SecretHash {
    /// Parses an argon2id PHC string, with limits on its cost.
    ///
    /// # Errors
    /// A [`SecretHashError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, SecretHashError> {
        if !text.starts_with('$') {
            return Err(SecretHashError::Plaintext);
        }
        let phc = PasswordHash::new(text).map_err(|_| SecretHashError::Malformed)?;
        if phc.algorithm.as_str() != Algorithm::Argon2id.as_ref() {
            return Err(SecretHashError::Algorithm);
        }
        if phc.version != Some(Version::V0x13.into()) {
            return Err(SecretHashError::Version);
        }
        let params = Params::try_from(&phc).map_err(|_| SecretHashError::Parameters)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(SecretHashError::TooCostly);
        }
        let hash = match (&phc.salt, &phc.hash) {
            (Some(_), Some(hash)) if hash.as_ref().len() >= SHORTEST_HASH => Self { phc, params },
            _ => return Err(SecretHashError::Incomplete),
        };
        if hash.cost() > MAX_COST { Err(SecretHashError::TooCostly) } else { Ok(hash) }
    }

    /// Hashes a new secret with the recommended parameters (19 MiB, two passes) and this salt.
    ///
    /// # Errors
    /// [`SecretHashError::Parameters`] if the system has no memory for it.
    pub fn of(secret: &Secret, salt: &[u8; 16]) -> Result<Self, SecretHashError> {
        use argon2::PasswordHasher as _;
        let phc = Argon2::default()
            .hash_password_with_salt(secret.expose().as_bytes(), salt)
            .map_err(|_| SecretHashError::Parameters)?;
        Self::parse(&phc.to_string())
    }

    /// Returns the PHC string.
    #[must_use]
    pub fn to_phc(&self) -> String {
        self.phc.to_string()
    }

    /// Returns a hash that matches no secret and costs as much to verify as `self`, for clients that do not
    /// exist.
    #[must_use]
    pub(crate) fn decoy(&self) -> Self {
        let mut decoy = self.clone();
        let length = decoy.phc.hash.as_ref().map_or(32, |hash| hash.as_ref().len());
        decoy.phc.hash = Output::new(&vec![0; length]).ok().or(decoy.phc.hash);
        decoy
    }

    /// Returns a decoy that takes `cost` of work and no more memory than `self`, or `None` if the cost is too
    /// small to be measured.
    #[must_use]
    pub(crate) fn costing(&self, cost: u64) -> Option<Self> {
        let passes = u64::from(self.params.t_cost()) * cost.div_ceil(self.cost().max(1));
        let memory = u32::try_from(cost.checked_div(passes)?).ok()?;
        let passes = u32::try_from(passes).ok()?;
        let params = Params::new(memory, passes, self.params.p_cost(), None).ok()?;
        Some(Self { params, ..self.decoy() })
    }

    /// Returns a short identifier that reveals nothing about the hash.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.to_phc());
        digest.iter().take(FINGERPRINT).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Returns a measure of the work that one verification takes.
    pub(crate) fn cost(&self) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }

    /// Returns whether this is the hash of `secret`. It takes as long as a hash, and its memory is freed at
    /// the end.
    #[cfg(feature = "gateway")]
    #[must_use]
    pub(crate) fn verify(&self, secret: &Secret) -> bool {
        self.matches(secret, &mut Vec::new())
    }

    /// Returns whether this is the hash of `secret`. The caller keeps `memory` from call to call.
    pub(super) fn matches(&self, secret: &Secret, memory: &mut Vec<Block>) -> bool {
        let (Some(salt), Some(expected)) = (&self.phc.salt, &self.phc.hash) else { return false };
        let blocks = self.params.block_count();
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        let mut computed = [0; Output::MAX_LENGTH];
        let Some(computed) = computed.get_mut(..expected.as_ref().len()) else { return false };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let memory = memory.get_mut(..blocks).unwrap_or_default();
        let hashed =
            argon2.hash_password_into_with_memory(secret.expose().as_bytes(), salt, computed, memory);
        // `Output` compares in constant time.
        hashed.is_ok() && Output::new(computed).is_ok_and(|computed| computed == *expected)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT_AND_HASH: &str = "c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";

    #[test]
    fn only_complete_argon2id_hashes_within_the_cost_limits_are_accepted() {
        let with = |head: &str| format!("{head}${SALT_AND_HASH}");
        let table = [
            (with("$argon2id$v=19$m=19456,t=2,p=1"), None),
            (with("$argon2id$v=19$m=131072,t=4,p=16"), None),
            (with("$argon2id$v=19$m=32768,t=16,p=1"), None),
            ("Password1".to_owned(), Some(SecretHashError::Plaintext)),
            (String::new(), Some(SecretHashError::Plaintext)),
            ("$ecret".to_owned(), Some(SecretHashError::Algorithm)),
            ("$argon2id$v=19$m=19456,t=2,p=1".to_owned(), Some(SecretHashError::Incomplete)),
            (format!("{}$x", with("$argon2id$v=19$m=19456,t=2,p=1")), Some(SecretHashError::Malformed)),
            (with("$argon2i$v=19$m=19456,t=2,p=1"), Some(SecretHashError::Algorithm)),
            (with("$argon2id$v=16$m=19456,t=2,p=1"), Some(SecretHashError::Version)),
            (with("$argon2id$v=19$m=1,t=2,p=1"), Some(SecretHashError::Parameters)),
            (with("$argon2id$v=19$m=131073,t=1,p=1"), Some(SecretHashError::TooCostly)),
            (with("$argon2id$v=19$m=64,t=17,p=1"), Some(SecretHashError::TooCostly)),
            (with("$argon2id$v=19$m=19456,t=2,p=17"), Some(SecretHashError::TooCostly)),
            (with("$argon2id$v=19$m=131072,t=5,p=1"), Some(SecretHashError::TooCostly)),
        ];
        for (text, error) in table {
            assert_eq!(SecretHash::parse(&text).err(), error, "{text}");
        }
    }

    #[test]
    fn debug_output_is_redacted() {
        let hash = SecretHash::parse(&format!("$argon2id$v=19$m=19456,t=2,p=1${SALT_AND_HASH}")).unwrap();
        assert!(!format!("{hash:?}").contains("argon2id"));
    }
}
