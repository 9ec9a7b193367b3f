//! Checks during a stream that its token is still valid.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::gate::Gate;
use crate::oauth::decide::Lease;
use crate::store::BoxFuture;

/// The interval at which a stream checks its token.
pub(crate) const TOKEN_CHECK: Duration = Duration::from_secs(1);

/// The interval at which a stream looks whether the store has answered.
const ANSWER_CHECK: Duration = Duration::from_millis(10);

/// The token that a request body depends on, which may outlive the task that serves its client.
pub(crate) struct TokenLease {
    gate: Gate,
    lease: Lease,
    check: TokenCheck,
}

impl TokenLease {
    /// Creates the lease, or returns `None` if the request has no token.
    pub(crate) fn new(gate: &Gate, lease: &Lease) -> Option<Self> {
        lease.digest()?;
        Some(Self { gate: gate.clone(), lease: lease.clone(), check: TokenCheck::default() })
    }

    /// Checks the token: see [`TokenCheck::check`].
    pub(crate) fn check(&mut self) -> Option<Duration> {
        self.check.check(&self.gate, &self.lease)
    }
}

/// The check of the token of a stream, which may have to wait for the store.
#[derive(Default)]
pub(crate) struct TokenCheck(Option<Box<BoxFuture<'static, bool>>>);

impl TokenCheck {
    /// Returns the time until the next check, or `None` if the token has ended.
    ///
    /// A store that several gateways share may have to be asked. The stream goes on until it has answered,
    /// which it does in bounded time, also by an error; then the token has ended.
    pub(crate) fn check(&mut self, gate: &Gate, lease: &Lease) -> Option<Duration> {
        let asking = match &mut self.0 {
            Some(asking) => asking,
            asking => match gate.still_leases(lease) {
                Some(valid) => return valid.then(|| check_in(gate, lease)),
                None => asking.insert(Box::new(ask(gate.clone(), lease.clone()))),
            },
        };
        // The stream looks again by itself, so nobody has to be woken.
        match asking.as_mut().as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Some(ANSWER_CHECK),
            Poll::Ready(valid) => {
                self.0 = None;
                valid.then(|| check_in(gate, lease))
            }
        }
    }
}

#[cold]
fn ask(gate: Gate, lease: Lease) -> BoxFuture<'static, bool> {
    Box::pin(async move { gate.still_leases_async(&lease).await })
}

/// The token that a response depends on.
pub(crate) struct ResponseLease<'a> {
    gate: &'a Gate,
    lease: &'a Lease,
    check: TokenCheck,
}

impl<'a> ResponseLease<'a> {
    /// Creates the lease, or returns `None` if the request has no token.
    pub(crate) fn new(gate: &'a Gate, lease: &'a Lease) -> Option<Self> {
        lease.digest()?;
        Some(Self { gate, lease, check: TokenCheck::default() })
    }

    /// Checks the token: see [`TokenCheck::check`].
    pub(crate) fn check(&mut self) -> Option<Duration> {
        self.check.check(self.gate, self.lease)
    }

    /// Returns the time until the next check: see [`check_in`].
    pub(crate) fn check_in(&self) -> Duration {
        check_in(self.gate, self.lease)
    }
}

/// Returns the time until the next check of the token: [`TOKEN_CHECK`], or less if the token expires sooner.
pub(crate) fn check_in(gate: &Gate, lease: &Lease) -> Duration {
    let left = lease.time_left(gate.clock().now()).unwrap_or(TOKEN_CHECK);
    left.min(TOKEN_CHECK).max(Duration::from_millis(1))
}
