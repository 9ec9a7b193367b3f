//! The stored form of the use of a secret.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gate::{SecretUsage, SeenSecret};

/// The use of one secret. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    fingerprint: String,
    since: u64,
    count: u64,
    last_used: Option<u64>,
    last_address: Option<IpAddr>,
    refused_count: u64,
    last_refused: Option<u64>,
    last_refused_address: Option<IpAddr>,
}

impl Entry {
    pub(super) fn of(secret: &SeenSecret) -> Self {
        let usage = &secret.usage;
        let seconds = |time: Duration| time.as_secs();
        Self {
            fingerprint: secret.fingerprint.to_string(),
            since: usage.since.as_secs(),
            count: usage.count,
            last_used: usage.last_used.map(seconds),
            last_address: usage.last_address,
            refused_count: usage.refused_count,
            last_refused: usage.last_refused.map(seconds),
            last_refused_address: usage.last_refused_address,
        }
    }

    pub(super) fn seen(self, client_id: &str, id: &str) -> SeenSecret {
        let mut usage = SecretUsage::counted_since(Duration::from_secs(self.since));
        usage.count = self.count;
        usage.last_used = self.last_used.map(Duration::from_secs);
        usage.last_address = self.last_address;
        usage.refused_count = self.refused_count;
        usage.last_refused = self.last_refused.map(Duration::from_secs);
        usage.last_refused_address = self.last_refused_address;
        SeenSecret::new(client_id, id, self.fingerprint, usage)
    }
}
