//! The token that a stream depends on.

use std::time::Duration;

use crate::gate::Gate;
use crate::oauth::decide::Permit;

/// How often a stream asks whether its token is still valid.
pub(crate) const TOKEN_CHECK: Duration = Duration::from_secs(1);

/// What a stream runs on.
pub(crate) struct TokenLease {
    gate: Gate,
    permit: Permit,
}

impl TokenLease {
    /// The lease of a permit; none where there is no token that could end.
    pub(crate) fn new(gate: &Gate, permit: Permit) -> Option<Self> {
        permit.digest()?;
        Some(Self { gate: gate.clone(), permit })
    }

    /// Whose token it is.
    pub(crate) fn client_id(&self) -> Option<&str> {
        self.permit.client_id()
    }

    /// Whether the token still lives.
    pub(crate) fn holds(&self) -> bool {
        self.gate.still_permits(&self.permit)
    }

    /// When to ask next: at the token's end, or soon if that is far.
    pub(crate) fn check_in(&self) -> Duration {
        let left = self.permit.time_left(self.gate.clock().now()).unwrap_or(TOKEN_CHECK);
        left.min(TOKEN_CHECK).max(Duration::from_millis(1))
    }
}
