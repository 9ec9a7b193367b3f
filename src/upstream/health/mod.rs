//! Asks servers how they are, off the way of requests, and looks their names up again.

mod probe;
pub(crate) mod status;
pub(crate) mod upkeep;

use std::time::Duration;

use crate::config::{self, ExpectedStatus};

/// How the servers of an upstream are probed.
#[derive(Debug, Clone)]
pub(crate) struct HealthCheck {
    pub(crate) kind: Kind,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) thresholds: status::Thresholds,
}

/// What a probe does.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Opens a connection, TLS included.
    Tcp,
    /// Asks for this origin-form target.
    Http { target: http::Uri, expected: ExpectedStatus },
}

impl HealthCheck {
    /// The check that the configuration describes; none if its path is no target, which its reader refuses.
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
