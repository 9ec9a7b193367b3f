//! Active health checks, and the thread that runs them and refreshes DNS names.

mod probe;
pub(crate) mod status;
pub(crate) mod upkeep;

use std::time::Duration;

use crate::config::{self, ExpectedStatus};

/// The health check of an upstream.
#[derive(Debug, Clone)]
pub(crate) struct HealthCheck {
    pub(crate) kind: Kind,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) thresholds: status::Thresholds,
}

/// The kind of probe.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Opens a connection, TLS included.
    Tcp,
    /// Sends a GET request for this origin-form target.
    Http { target: http::Uri, expected: ExpectedStatus },
}

impl HealthCheck {
    /// Creates the check that the configuration describes, or returns `None` if its path is not a valid
    /// target (which the configuration reader already refuses).
    pub(crate) fn new(spec: &config::HealthCheck) -> Option<Self> {
        let kind = match &spec.probe {
            config::Probe::Tcp => Kind::Tcp,
            config::Probe::Http { path, expected } => {
                Kind::Http { target: path.parse().ok()?, expected: expected.clone() }
            }
        };
        Some(Self {
            kind,
            interval: spec.interval,
            timeout: spec.timeout,
            thresholds: status::Thresholds {
                healthy_after: spec.healthy_after,
                unhealthy_after: spec.unhealthy_after,
            },
        })
    }
}
