//! Decides whether a request that failed is sent again: one rule for both protocols, which only classify the
//! failure.

use super::error::ForwardError;

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// What the client gets if no other attempt follows.
    pub(crate) error: ForwardError,
    /// Whether the connection had served a request before. Its end says little about the server.
    pub(crate) on_reused_connection: bool,
    /// Whether the failure counts towards the server's ejection.
    pub(crate) counts_against_server: bool,
    /// Whether the next attempt prefers another server.
    pub(crate) avoid_server: bool,
}

impl Failure {
    /// Creates a failure after which no other attempt is made.
    pub(crate) fn fatal(error: ForwardError, counts_against_server: bool) -> Self {
        Self {
            kind: FailureKind::Fatal,
            error,
            on_reused_connection: false,
            counts_against_server,
            avoid_server: false,
        }
    }

    /// Creates a failure to connect. `counts_against_server` is false if this machine caused the failure.
    pub(crate) fn not_connected(error: ForwardError, counts_against_server: bool) -> Self {
        let kind = FailureKind::Unsent;
        Self { kind, error, on_reused_connection: false, counts_against_server, avoid_server: true }
    }
}

/// Says whether a failed attempt may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Not one byte of the request was written to the connection, or it exceeded a stream limit that was not
    /// known yet.
    Unsent,
    /// The server said that it did not begin to process the request (RFC 9113 §8.7).
    NotProcessed,
    /// The connection broke. The server may have processed the request.
    Broken,
    /// Another attempt is not safe, or would fail in the same way.
    Fatal,
}

/// The maximum number of dead connections that a request may find before its first byte is sent.
const MAX_UNSENT: u32 = 4;

/// The number of retries that a request has left.
#[derive(Debug)]
pub(crate) struct Retries {
    left: u32,
    unsent_left: u32,
    /// Whether the request may reach servers twice (RFC 9110 §9.2.2). A request with a body may not: the body
    /// is gone once it is sent.
    replayable: bool,
}

impl Retries {
    /// Creates the retries of a request: at most `configured`.
    pub(crate) fn new(configured: u32, replayable: bool) -> Self {
        Self { left: configured, unsent_left: MAX_UNSENT, replayable }
    }

    /// Returns whether the request may be sent again, and counts the retry if so. `reused` says that the
    /// connection had served a request before. `budget` is called for the retries that it bounds.
    ///
    /// A reused connection that was dead before a byte was written costs nothing: no server has seen the
    /// request. All other retries count towards the configured number, so servers see a request at most once
    /// more than that number.
    pub(crate) fn allow(
        &mut self,
        failure: FailureKind,
        reused: bool,
        budget: impl FnOnce() -> bool,
    ) -> bool {
        let left = match failure {
            FailureKind::Fatal => return false,
            FailureKind::Broken if !self.replayable => return false,
            FailureKind::Unsent if reused => &mut self.unsent_left,
            _ => &mut self.left,
        };
        // A reused connection that broke says little about its server: the budget is for servers that are
        // down.
        if *left == 0 || !reused && !budget() {
            return false;
        }
        *left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how often in a row a failure is followed by another attempt.
    fn allowed(retries: &mut Retries, failure: FailureKind, reused: bool) -> usize {
        (0..20).take_while(|_| retries.allow(failure, reused, || true)).count()
    }

    #[test]
    fn a_request_is_retried_at_most_the_configured_number_of_times() {
        for configured in 0..3 {
            for (failure, reused) in [
                (FailureKind::Unsent, false),
                (FailureKind::NotProcessed, false),
                (FailureKind::NotProcessed, true),
                (FailureKind::Broken, false),
                (FailureKind::Broken, true),
            ] {
                let mut retries = Retries::new(configured, true);
                assert_eq!(
                    allowed(&mut retries, failure, reused),
                    configured as usize,
                    "{failure:?} {reused}"
                );
                assert!(
                    !retries.allow(FailureKind::Broken, false, || true),
                    "{failure:?}: another kind has its own"
                );
            }
        }
    }

    #[test]
    fn dead_connections_cost_no_retry_and_are_bounded() {
        let mut retries = Retries::new(1, false);
        assert_eq!(allowed(&mut retries, FailureKind::Unsent, true), 4);
        assert!(retries.allow(FailureKind::Unsent, false, || true));
        assert!(!retries.allow(FailureKind::Unsent, false, || true));
    }

    #[test]
    fn only_safe_failures_are_retried() {
        for reused in [false, true] {
            assert!(!Retries::new(9, true).allow(FailureKind::Fatal, reused, || true));
            assert!(!Retries::new(9, false).allow(FailureKind::Broken, reused, || true));
            assert!(Retries::new(9, false).allow(FailureKind::NotProcessed, reused, || true));
        }
    }

    #[test]
    fn the_budget_bounds_retries_after_new_connections() {
        let mut retries = Retries::new(1, true);
        assert!(!retries.allow(FailureKind::Broken, false, || false));
        assert!(retries.allow(FailureKind::Broken, true, || panic!("a reused connection is not charged")));
        assert!(!retries.allow(FailureKind::Broken, false, || panic!("none are left to be charged")));
    }
}
