//! The digests by which correct secrets are remembered.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::oauth::secret::Secret;

/// Makes the digests by which correct secrets are remembered. They depend on a random key of this process, so
/// they are useless elsewhere.
pub(super) struct SecretDigester {
    /// The state after the key. The key fills a block, so that it is hashed only once.
    keyed: Sha256,
}

impl SecretDigester {
    /// Makes a digester with a new key.
    ///
    /// # Errors
    /// Fails if the operating system provides no randomness.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        Ok(Self { keyed: Sha256::new_with_prefix(key) })
    }

    /// Returns the digest of a client's secret.
    pub(super) fn digest(&self, client_id: &str, secret: &Secret) -> [u8; 32] {
        let mut hash = self.keyed.clone();
        hash.update(u64::try_from(client_id.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(client_id);
        hash.update(secret.expose());
        hash.finalize().into()
    }
}

/// Compares two digests in constant time. It takes words instead of bytes, of which there are eight times as
/// many.
pub(super) fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let words = one.as_chunks().0.iter().zip(other.as_chunks().0);
    let same = words.fold(Choice::from(1), |same, (one, other)| {
        same & u64::from_ne_bytes(*one).ct_eq(&u64::from_ne_bytes(*other))
    });
    same.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts() {
        let one = [0xa5; 32];
        assert!(is_same(&one, &one));
        for bit in 0..256 {
            let mut other = one;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&one, &other), "{bit}");
        }
    }

    #[test]
    fn a_digest_depends_on_the_client_the_secret_and_the_process() {
        let digester = SecretDigester::new().unwrap();
        let digest = |client, secret| digester.digest(client, &Secret::new(secret));
        assert_eq!(digest("a", "b"), digest("a", "b"));
        assert_ne!(digest("a", "b"), digest("a", "c"));
        assert_ne!(digest("a", "bc"), digest("ab", "c"));
        assert_ne!(digest("a", "b"), SecretDigester::new().unwrap().digest("a", &Secret::new("b")));
    }
}
