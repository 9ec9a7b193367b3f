use std::fmt;

use sha2::{Digest as _, Sha256};

/// A single-use name, as the digest of its kind, its owner and its text. Such a name is the `jti` of a client
/// assertion (RFC 7523 §3, 7) or of a DPoP proof (RFC 9449 §11.1).
///
/// Every process makes the same digest of the same name. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsedName([u8; 16]);

impl UsedName {
    /// Makes the name of a client's assertion.
    #[must_use]
    pub fn of_assertion(client_id: &str, jti: &str) -> Self {
        Self::of(b'a', client_id.as_bytes(), jti)
    }

    /// Makes the name of a proof by the key with this thumbprint.
    #[must_use]
    pub fn of_proof(key: &[u8; 32], jti: &str) -> Self {
        Self::of(b'p', key, jti)
    }

    fn of(kind: u8, owner: &[u8], jti: &str) -> Self {
        // The digest of the owner has a fixed length, so that no pair of owner and text equals another pair.
        let owner: [u8; 32] = Sha256::new().chain_update([kind]).chain_update(owner).finalize().into();
        let digest = Sha256::new().chain_update(owner).chain_update(jti).finalize();
        Self(std::array::from_fn(|at| digest[at]))
    }

    /// Makes a name from its stored form.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Debug for UsedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsedName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_owner_and_text_make_a_name() {
        let key = *b"0123456789abcdef0123456789abcdef";
        let names = [
            UsedName::of_assertion("a", "b"),
            UsedName::of_assertion("ab", ""),
            UsedName::of_assertion("", "ab"),
            UsedName::of_assertion("0123456789abcdef0123456789abcdef", "b"),
            UsedName::of_proof(&key, "b"),
        ];
        let different: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert_eq!(UsedName::from_bytes(names[0].to_bytes()), UsedName::of_assertion("a", "b"));
        assert!(!format!("{:?}", names[0]).contains(char::is_numeric));
    }
}
