//! The secrets of clients and their usage, which answers "may I remove the old one?".

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::gate::secret_hash::SecretHash;
use crate::gate::spec::SecretSpec;

/// A secret and its usage.
pub(crate) struct ClientSecret {
    pub(crate) id: String,
    pub(crate) hash: SecretHash,
    pub(super) fingerprint: Arc<str>,
    pub(crate) expires: Option<Duration>,
    /// The keyed digest of the plaintext that matched. The next request compares digests instead of hashing.
    pub(crate) remembered: OnceLock<[u8; 32]>,
    usage: Arc<Mutex<SecretUsage>>,
}

/// When, from where and how often a secret was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SecretUsage {
    /// When counting began, as time since the Unix epoch: when a gate first had this secret.
    pub since: Duration,
    /// Successful authentications.
    pub count: u64,
    /// The time of the last one, since the Unix epoch.
    pub last_used: Option<Duration>,
    /// The address that it came from.
    pub last_address: Option<IpAddr>,
    /// Refused authentications with this secret after it had expired.
    pub refused_count: u64,
    /// The time of the last one, since the Unix epoch.
    pub last_refused: Option<Duration>,
    /// The address that it came from.
    pub last_refused_address: Option<IpAddr>,
}

impl SecretUsage {
    /// Makes an empty usage that counts from `since`.
    #[must_use]
    pub fn counted_since(since: Duration) -> Self {
        Self { since, ..Self::default() }
    }

    /// Adds the usage from before a restart.
    pub(super) fn take_over(&mut self, before: &Self) {
        self.since = self.since.min(before.since);
        self.count = self.count.saturating_add(before.count);
        if before.last_used > self.last_used {
            (self.last_used, self.last_address) = (before.last_used, before.last_address);
        }
        self.refused_count = self.refused_count.saturating_add(before.refused_count);
        if before.last_refused > self.last_refused {
            (self.last_refused, self.last_refused_address) =
                (before.last_refused, before.last_refused_address);
        }
    }
}

/// The usage of a client's secret. A program saves it to keep the usage over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenSecret {
    /// The client's id.
    pub client_id: String,
    /// The secret's id, as shown in listings.
    pub id: String,
    /// Distinguishes it from an earlier secret with the same id. See [`SecretSpec::fingerprint`].
    pub fingerprint: Arc<str>,
    /// When it expires, as time since the Unix epoch.
    pub expires: Option<Duration>,
    /// The usage.
    pub usage: SecretUsage,
}

impl SeenSecret {
    /// Makes the record of a secret that was seen earlier.
    #[must_use]
    pub fn new(
        client_id: impl Into<String>,
        id: impl Into<String>,
        fingerprint: impl Into<Arc<str>>,
        usage: SecretUsage,
    ) -> Self {
        Self {
            client_id: client_id.into(),
            id: id.into(),
            fingerprint: fingerprint.into(),
            expires: None,
            usage,
        }
    }
}

impl ClientSecret {
    /// Makes a secret that the gate did not have before.
    pub(crate) fn new(spec: SecretSpec, unix_time: Duration) -> Self {
        Self {
            fingerprint: spec.fingerprint().into(),
            id: spec.id,
            hash: spec.hash,
            expires: spec.expires,
            remembered: OnceLock::new(),
            usage: Arc::new(Mutex::new(SecretUsage::counted_since(unix_time))),
        }
    }

    /// Returns the same secret with another expiry.
    pub(crate) fn until(&self, expires: Option<Duration>) -> Self {
        Self {
            id: self.id.clone(),
            hash: self.hash.clone(),
            fingerprint: Arc::clone(&self.fingerprint),
            expires,
            remembered: self.remembered.clone(),
            // Shared, so that requests that began before the change are counted too.
            usage: Arc::clone(&self.usage),
        }
    }

    pub(crate) fn is_valid(&self, unix_time: Duration) -> bool {
        self.expires.is_none_or(|expires| unix_time < expires)
    }

    /// Counts a successful authentication.
    pub(crate) fn note_use(&self, unix_time: Duration, address: Option<IpAddr>) {
        let mut usage = self.usage();
        usage.count = usage.count.saturating_add(1);
        usage.last_used = Some(unix_time);
        usage.last_address = address;
    }

    /// Counts an attempt after the secret has expired.
    pub(crate) fn note_refused(&self, unix_time: Duration, address: Option<IpAddr>) {
        let mut usage = self.usage();
        usage.refused_count = usage.refused_count.saturating_add(1);
        usage.last_refused = Some(unix_time);
        usage.last_refused_address = address;
    }

    pub(super) fn usage(&self) -> MutexGuard<'_, SecretUsage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecret").field("id", &self.id).finish_non_exhaustive()
    }
}
