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
    pub(crate) on_kept_connection: bool,
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
            on_kept_connection: false,
            counts_against_server,
            avoid_server: false,
        }
    }

    /// Creates a failure to connect. `counts_against_server` is false if this machine caused the failure.
    pub(crate) fn not_connected(error: ForwardError, counts_against_server: bool) -> Self {
        let kind = FailureKind::Unsent;
        Self { kind, error, on_kept_connection: false, counts_against_server, avoid_server: true }
    }
}

/// What a failed attempt means for its request.
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

/// How many dead connections a request may find before it was sent at all.
const MOST_UNSENT: u32 = 4;

/// The retries that one request has left.
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
        Self { left: configured, unsent_left: MOST_UNSENT, replayable }
    }

    /// Returns whether the request may be sent again, and counts the retry if so. `kept` says that the
    /// connection had served a request before. `budget` is called for the retries that it bounds.
    ///
    /// A kept connection that was dead before a byte was written costs nothing: no server has seen the request.
    /// Every other retry is one of the configured number, so that servers get a request at most that often plus
    /// once.
    pub(crate) fn allow(&mut self, failure: FailureKind, kept: bool, budget: impl FnOnce() -> bool) -> bool {
        let left = match failure {
            FailureKind::Fatal => return false,
            FailureKind::Broken if !self.replayable => return false,
            FailureKind::Unsent if kept => &mut self.unsent_left,
            _ => &mut self.left,
        };
        // A kept connection that broke says little about its server: the budget is for servers that are down.
        if *left == 0 || !kept && !budget() {
            return false;
        }
        *left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each failure in turn is followed by another try.
    fn allowed(retries: &mut Retries, failure: FailureKind, kept: bool) -> usize {
        (0..20).take_while(|_| retries.allow(failure, kept, || true)).count()
    }

    #[test]
    fn the_configured_number_is_the_most() {
        for configured in 0..3 {
            for (failure, kept) in [
                (FailureKind::Unsent, false),
                (FailureKind::NotProcessed, false),
                (FailureKind::NotProcessed, true),
                (FailureKind::Broken, false),
                (FailureKind::Broken, true),
            ] {
                let mut retries = Retries::new(configured, true);
                assert_eq!(allowed(&mut retries, failure, kept), configured as usize, "{failure:?} {kept}");
                assert!(
                    !retries.allow(FailureKind::Broken, false, || true),
                    "{failure:?}: another kind has its own"
                );
            }
        }
    }

    #[test]
    fn dead_connections_that_took_no_byte_are_free_and_bounded() {
        let mut retries = Retries::new(1, false);
        assert_eq!(allowed(&mut retries, FailureKind::Unsent, true), 4);
        assert!(retries.allow(FailureKind::Unsent, false, || true));
        assert!(!retries.allow(FailureKind::Unsent, false, || true));
    }

    #[test]
    fn only_what_is_safe_is_sent_again() {
        for kept in [false, true] {
            assert!(!Retries::new(9, true).allow(FailureKind::Fatal, kept, || true));
            assert!(!Retries::new(9, false).allow(FailureKind::Broken, kept, || true));
            assert!(Retries::new(9, false).allow(FailureKind::NotProcessed, kept, || true));
        }
    }

    #[test]
    fn the_budget_bounds_retries_after_new_connections() {
        let mut retries = Retries::new(1, true);
        assert!(!retries.allow(FailureKind::Broken, false, || false));
        assert!(retries.allow(FailureKind::Broken, true, || panic!("a kept connection is not charged")));
        assert!(!retries.allow(FailureKind::Broken, false, || panic!("none are left to be charged")));
    }
}
