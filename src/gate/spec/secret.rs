use std::time::Duration;

use crate::gate::secret_hash::SecretHash;

/// The settings of one secret of a client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SecretSpec {
    /// The id, as shown in listings.
    pub id: String,
    /// The hash.
    pub hash: SecretHash,
    /// When it expires, as time since the Unix epoch.
    pub expires: Option<Duration>,
}

impl SecretSpec {
    /// Makes a secret.
    #[must_use]
    pub fn new(id: impl Into<String>, hash: SecretHash, expires: Option<Duration>) -> Self {
        Self { id: id.into(), hash, expires }
    }

    /// Returns a short identifier that distinguishes this secret from others with the same id, and that
    /// reveals nothing about the secret or its hash.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.hash.fingerprint()
    }
}
