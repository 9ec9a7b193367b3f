//! The use of secrets that a running gateway has recorded.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::change::environment::is_unknown;
use crate::cli::output;
use crate::config::{Client, ClientSecret, Config};
use crate::gate::{SecretUsage, SeenSecret};
use crate::gateway::secret_usage::{self, RotationStatus};
use crate::utc;

/// The recorded use of secrets, at one moment.
pub(super) struct Usage {
    seen: Vec<SeenSecret>,
    now: Duration,
}

impl Usage {
    /// Reads what the gateway of this configuration records. If that fails, prints a note and continues
    /// without records.
    pub(super) fn read(config: &Config, now: SystemTime) -> Self {
        let has_secrets = config.clients.iter().any(|client| client.authentication.secret.is_some());
        let seen = secret_usage::recorded(config).unwrap_or_else(|error| {
            if has_secrets {
                output::note(&format!("note: the last use of secrets is unknown: {error}"));
            }
            Vec::new()
        });
        Self { seen, now: since_epoch(now) }
    }

    /// Returns the recorded use of one secret.
    pub(super) fn of(&self, client: &Client, secret: &ClientSecret) -> Option<&SecretUsage> {
        let fingerprint = secret.fingerprint();
        let same = |seen: &&SeenSecret| {
            seen.client_id == client.id.as_str()
                && seen.id == secret.id
                && (*seen.fingerprint == *fingerprint || is_unknown(&secret.hash))
        };
        self.seen.iter().find(same).map(|seen| &seen.usage)
    }

    /// Describes the use of one secret, for people.
    pub(super) fn text(&self, client: &Client, secret: &ClientSecret) -> Option<String> {
        self.of(client, secret).map(|usage| secret_usage::usage_text(usage, self.now))
    }

    /// Returns the use of one secret as JSON, for scripts.
    pub(super) fn json(&self, client: &Client, secret: &ClientSecret) -> Value {
        let Some(usage) = self.of(client, secret) else { return Value::Null };
        let date = |moment: Duration| utc::from_unix(moment.as_secs()).to_string();
        json!({
            "since": date(usage.since),
            "count": usage.count,
            "last_used": usage.last_used.map(date),
            "last_address": usage.last_address,
            "refused_count": usage.refused_count,
            "last_refused": usage.last_refused.map(date),
            "last_refused_address": usage.last_refused_address,
        })
    }

    /// Returns the warnings about each of a client's secrets, in their order: that it has expired, or is
    /// still used shortly before that.
    pub(super) fn warnings(&self, client: &Client) -> Vec<Vec<String>> {
        let secrets = client.authentication.secret.iter().flat_map(|secret| &secret.secrets);
        let seen = |secret: &ClientSecret| {
            let usage = self.of(client, secret).copied().unwrap_or_default();
            let mut seen = SeenSecret::new(client.id.as_str(), &*secret.id, secret.fingerprint(), usage);
            seen.expires = secret.expires.map(since_epoch);
            seen
        };
        let all: Vec<SeenSecret> = secrets.map(seen).collect();
        let lines = |secret: &SeenSecret| match secret_usage::rotation_status(secret, &all, self.now) {
            RotationStatus::Good => Vec::new(),
            RotationStatus::Ending { end, successor } => {
                secret_usage::still_used_line(secret, end, successor, self.now).into_iter().collect()
            }
            RotationStatus::Expired { end } => {
                let refused = secret_usage::refused_line(secret, end, self.now);
                std::iter::once(secret_usage::expired_line(secret, end)).chain(refused).collect()
            }
        };
        all.iter().map(lines).collect()
    }
}

fn since_epoch(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}
