//! The token that a stream depends on.

use std::time::Duration;

use crate::gate::Gate;
use crate::oauth::decide::Lease;

/// How often a stream asks whether its token is still valid.
pub(crate) const TOKEN_CHECK: Duration = Duration::from_secs(1);

/// What a stream runs on.
pub(crate) struct TokenLease {
    gate: Gate,
    lease: Lease,
}

impl TokenLease {
    /// The lease of a request that may outlive its handler. `None` where there is no token that could end.
    pub(crate) fn new(gate: &Gate, lease: &Lease) -> Option<Self> {
        lease.digest()?;
        Some(Self { gate: gate.clone(), lease: lease.clone() })
    }

    /// Whether the token is still valid.
    pub(crate) fn holds(&self) -> bool {
        self.gate.still_leases(&self.lease)
    }

    /// When to ask next: at the token's end, or soon if that is far.
    pub(crate) fn check_in(&self) -> Duration {
        check_in(&self.gate, &self.lease)
    }
}

/// When to ask next whether the token is still valid.
pub(crate) fn check_in(gate: &Gate, lease: &Lease) -> Duration {
    let left = lease.time_left(gate.clock().now()).unwrap_or(TOKEN_CHECK);
    left.min(TOKEN_CHECK).max(Duration::from_millis(1))
}
