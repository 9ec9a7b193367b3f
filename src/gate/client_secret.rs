//! The secrets of clients, and what is seen of their use: so that "may I remove the old one?" has an answer.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::Gate;
use super::secret_hash::SecretHash;
use super::settings::SecretSpec;

/// A secret, and what the gate has seen of it.
pub(crate) struct ClientSecret {
    pub(crate) id: String,
    pub(crate) hash: SecretHash,
    fingerprint: Arc<str>,
    pub(crate) expires: Option<Duration>,
    /// The keyed digest of the plaintext that matched: what makes the next request cost microseconds.
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
    /// Time of the last one, since the Unix epoch.
    pub last_used: Option<Duration>,
    /// Where it came from.
    pub last_address: Option<IpAddr>,
    /// Refused authentications with this secret after it had expired.
    pub refused_count: u64,
    /// Time of the last one, since the Unix epoch.
    pub last_refused: Option<Duration>,
    /// Where it came from.
    pub last_refused_address: Option<IpAddr>,
}

impl SecretUsage {
    /// Nothing seen yet, counted from now on.
    #[must_use]
    pub fn counted_since(since: Duration) -> Self {
        Self { since, ..Self::default() }
    }

    /// Adds what was seen before.
    fn take_over(&mut self, before: &Self) {
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

/// A secret of a client by its names, and what was seen of it: for those who keep that over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenSecret {
    /// The client's id.
    pub client_id: String,
    /// What the secret is called in listings.
    pub id: String,
    /// Tells it from an earlier secret of the same id; see [`SecretSpec::fingerprint`].
    pub fingerprint: Arc<str>,
    /// When it stops working, as time since the Unix epoch.
    pub expires: Option<Duration>,
    /// What was seen of it.
    pub usage: SecretUsage,
}

impl SeenSecret {
    /// A secret as it was seen earlier.
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
    /// One that was not there before.
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

    /// The same secret with another end.
    pub(crate) fn until(&self, expires: Option<Duration>) -> Self {
        Self {
            id: self.id.clone(),
            hash: self.hash.clone(),
            fingerprint: Arc::clone(&self.fingerprint),
            expires,
            remembered: self.remembered.clone(),
            // Shared: requests that began before the change are counted, too.
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

    /// Counts a try after its end.
    pub(crate) fn note_refused(&self, unix_time: Duration, address: Option<IpAddr>) {
        let mut usage = self.usage();
        usage.refused_count = usage.refused_count.saturating_add(1);
        usage.last_refused = Some(unix_time);
        usage.last_refused_address = address;
    }

    fn usage(&self) -> MutexGuard<'_, SecretUsage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SecretSpec {
    /// Tells this secret from others that go by the same id, and says nothing of the secret or its hash.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.hash.fingerprint()
    }
}

impl Gate {
    /// What has been seen of a client's secrets, by secret id; empty for an unknown client.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// let client = ClientSpec::with_id("server")?.plain_secret("old")?.plain_secret("new")?;
    /// let gate = Gate::builder(GateSpec::default().client(client)).build()?;
    /// for (id, usage) in gate.secret_usage("server") {
    ///     println!("secret {id}: used {} times, last from {:?}", usage.count, usage.last_address);
    /// }
    /// # assert_eq!(gate.secret_usage("server").len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn secret_usage(&self, client_id: &str) -> Vec<(String, SecretUsage)> {
        let settings = self.settings();
        let secrets = settings.clients.get(client_id).into_iter().flat_map(|client| &client.secrets);
        secrets.map(|secret| (secret.id.clone(), *secret.usage())).collect()
    }

    /// What has been seen of all secrets of all clients, in the order of client ids.
    #[must_use]
    pub fn seen_secrets(&self) -> Vec<SeenSecret> {
        let settings = self.settings();
        let mut clients: Vec<_> = settings.clients.iter().collect();
        clients.sort_unstable_by_key(|(id, _)| *id);
        let mut seen = Vec::new();
        for (client_id, client) in clients {
            seen.extend(client.secrets.iter().map(|secret| SeenSecret {
                client_id: client_id.to_string(),
                id: secret.id.clone(),
                fingerprint: Arc::clone(&secret.fingerprint),
                expires: secret.expires,
                usage: *secret.usage(),
            }));
        }
        seen
    }

    /// Adds what [`Gate::seen_secrets`] told before a restart. Secrets that are no longer there are passed over.
    pub fn restore_seen_secrets(&self, seen: &[SeenSecret]) {
        let settings = self.settings();
        for before in seen {
            let Some(client) = settings.clients.get(before.client_id.as_str()) else { continue };
            let same = |secret: &&Arc<ClientSecret>| {
                secret.id == before.id && secret.fingerprint == before.fingerprint
            };
            if let Some(secret) = client.secrets.iter().find(same) {
                secret.usage().take_over(&before.usage);
            }
        }
    }
}
