//! Checks during a stream that its token is still valid.

use std::time::Duration;

use crate::gate::Gate;
use crate::oauth::decide::Lease;

/// The interval at which a stream checks its token.
pub(crate) const TOKEN_CHECK: Duration = Duration::from_secs(1);

/// The token that a request body depends on, which may outlive the task that serves its client.
pub(crate) struct TokenLease {
    gate: Gate,
    lease: Lease,
}

impl TokenLease {
    /// Creates the lease, or returns `None` if the request has no token.
    pub(crate) fn new(gate: &Gate, lease: &Lease) -> Option<Self> {
        lease.digest()?;
        Some(Self { gate: gate.clone(), lease: lease.clone() })
    }

    /// Returns whether the token is still valid.
    pub(crate) fn holds(&self) -> bool {
        self.gate.still_leases(&self.lease)
    }

    /// Returns the time until the next check: see [`check_in`].
    pub(crate) fn check_in(&self) -> Duration {
        check_in(&self.gate, &self.lease)
    }
}

/// The token that a response depends on.
#[derive(Clone, Copy)]
pub(crate) struct ResponseLease<'a> {
    gate: &'a Gate,
    lease: &'a Lease,
}

impl<'a> ResponseLease<'a> {
    /// Creates the lease, or returns `None` if the request has no token.
    pub(crate) fn new(gate: &'a Gate, lease: &'a Lease) -> Option<Self> {
        lease.digest()?;
        Some(Self { gate, lease })
    }

    /// Returns whether the token is still valid.
    pub(crate) fn holds(self) -> bool {
        self.gate.still_leases(self.lease)
    }

    /// Returns the time until the next check: see [`check_in`].
    pub(crate) fn check_in(self) -> Duration {
        check_in(self.gate, self.lease)
    }
}

/// Returns the time until the next check of the token: [`TOKEN_CHECK`], or less if the token expires sooner.
pub(crate) fn check_in(gate: &Gate, lease: &Lease) -> Duration {
    let left = lease.time_left(gate.clock().now()).unwrap_or(TOKEN_CHECK);
    left.min(TOKEN_CHECK).max(Duration::from_millis(1))
}
