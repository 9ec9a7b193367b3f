//! The lengths of the paths of the endpoints.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::gate::settings::Settings;
#[cfg(feature = "gateway")]
use crate::oauth::registration::CLIENT_ID_LENGTH;

/// The lengths of the paths of the endpoints, as bits. Most requests are for a path of another length, and
/// are then known to be for no endpoint without a look at the settings.
#[derive(Debug, Default)]
pub(super) struct EndpointLengths(AtomicU64);

impl EndpointLengths {
    /// Adds the lengths for settings that are about to be used. Those of earlier settings stay, so that two
    /// reloads at the same time cannot hide an endpoint.
    pub(super) fn add(&self, settings: &Settings) {
        let lengths = settings.endpoint_paths().iter().fold(0, |lengths, path| lengths | bit(path));
        #[cfg(feature = "gateway")]
        let lengths = match &settings.registration {
            // Below it are the registrations of clients, whose ids have one length.
            Some(registration) => lengths | bit_of(registration.endpoint.len() + 1 + CLIENT_ID_LENGTH),
            None => lengths,
        };
        self.0.fetch_or(lengths, Ordering::AcqRel);
    }

    /// Returns whether an endpoint can have this path.
    #[inline]
    pub(super) fn may_have(&self, path: &str) -> bool {
        self.0.load(Ordering::Acquire) & bit(path) != 0
    }
}

#[inline]
fn bit(path: &str) -> u64 {
    bit_of(path.len())
}

/// Lengths that differ by a multiple of 64 share a bit.
#[inline]
fn bit_of(length: usize) -> u64 {
    1 << (length % 64)
}

#[cfg(test)]
mod tests {
    use crate::gate::{Endpoint, Gate, GateSpec};

    #[test]
    fn endpoints_are_found_at_their_paths_before_and_after_a_reload() {
        let spec = |path: &str| GateSpec::new("https://api.example.com").token_endpoint(path);
        let gate = Gate::builder(spec("/t")).build().unwrap();
        let found = |path: &str| gate.endpoint(path) == Some(Endpoint::Token);
        let (same_bit, long) = (format!("/{}t", "x".repeat(64)), format!("/{}", "y".repeat(200)));
        assert!(found("/t") && !found("/u") && !found("/tt") && !found("") && !found(&same_bit));
        for path in ["/other/path", &long, "/t"] {
            gate.reload(spec(path));
            assert!(found(path) && !found("/u"), "{path}");
            assert_eq!(gate.endpoint("/t").is_some(), path == "/t", "{path}");
        }
        assert_eq!(gate.endpoint("/oauth/v2/oauth-revoke"), Some(Endpoint::Revocation));
    }
}
