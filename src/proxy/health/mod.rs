//! Asks servers how they are, off the way of requests, and looks their names up again.

mod probe;
mod upkeep;
mod verdict;

use std::time::Duration;

pub(super) use self::upkeep::start;
pub(super) use self::verdict::Verdict;
use crate::config::{self, ExpectedStatus};

/// How the servers of an upstream are probed.
#[derive(Debug, Clone)]
pub(super) struct HealthCheck {
    pub(super) kind: Kind,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) thresholds: verdict::Thresholds,
}

/// What a probe does.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Opens a connection, TLS included.
    Tcp,
    /// Asks for this origin-form target.
    Http { target: http::Uri, expected: ExpectedStatus },
}

impl HealthCheck {
    /// The check that the configuration describes; none if its path is no target, which its reader refuses.
    pub(super) fn new(spec: &config::HealthCheck) -> Option<Self> {
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
            thresholds: verdict::Thresholds {
                healthy_after: spec.healthy_after,
                unhealthy_after: spec.unhealthy_after,
            },
        })
    }
}
