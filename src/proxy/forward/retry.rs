//! Whether a request that failed is sent again: one rule for both protocols, which only say what the failure was.

/// What a failed try means for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Not one byte of the request was written to the connection, or it went beyond a stream limit not known yet.
    Unsent,
    /// The server said that it did not begin to process the request (RFC 9113 §8.7).
    NotProcessed,
    /// The connection broke. The server may have processed the request.
    Broken,
    /// Another try is not safe, or would fail in the same way.
    Fatal,
}

/// How many dead connections a request may find before it was sent at all.
const MOST_UNSENT: u32 = 4;

/// The retries that one request has left.
#[derive(Debug)]
pub(crate) struct Retries {
    left: u32,
    unsent_left: u32,
    /// Whether the request may reach servers twice (RFC 9110 §9.2.2). A request with a body may not: the body is gone
    /// once it is sent.
    replayable: bool,
}

impl Retries {
    /// At most `configured` retries.
    pub(crate) fn new(configured: u32, replayable: bool) -> Self {
        Self { left: configured, unsent_left: MOST_UNSENT, replayable }
    }

    /// Whether the request may be sent again, and if so, counts it. `kept` says that the connection had served a request
    /// before; `budget` is asked for the retries that it bounds.
    ///
    /// A kept connection that was dead before a byte was written costs nothing: no server has seen the request. Every
    /// other retry is one of the configured number, so a server never gets a request more often than that and once.
    pub(crate) fn allow(&mut self, failure: Failure, kept: bool, budget: impl FnOnce() -> bool) -> bool {
        let left = match failure {
            Failure::Fatal => return false,
            Failure::Broken if !self.replayable => return false,
            Failure::Unsent if kept => &mut self.unsent_left,
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
    fn allowed(retries: &mut Retries, failure: Failure, kept: bool) -> usize {
        (0..20).take_while(|_| retries.allow(failure, kept, || true)).count()
    }

    #[test]
    fn the_configured_number_is_the_most() {
        for configured in 0..3 {
            for (failure, kept) in [
                (Failure::Unsent, false),
                (Failure::NotProcessed, false),
                (Failure::NotProcessed, true),
                (Failure::Broken, false),
                (Failure::Broken, true),
            ] {
                let mut retries = Retries::new(configured, true);
                assert_eq!(allowed(&mut retries, failure, kept), configured as usize, "{failure:?} {kept}");
                assert!(
                    !retries.allow(Failure::Broken, false, || true),
                    "{failure:?}: another kind has its own"
                );
            }
        }
    }

    #[test]
    fn dead_connections_that_took_no_byte_are_free_and_bounded() {
        let mut retries = Retries::new(1, false);
        assert_eq!(allowed(&mut retries, Failure::Unsent, true), 4);
        assert!(retries.allow(Failure::Unsent, false, || true));
        assert!(!retries.allow(Failure::Unsent, false, || true));
    }

    #[test]
    fn only_what_is_safe_is_sent_again() {
        for kept in [false, true] {
            assert!(!Retries::new(9, true).allow(Failure::Fatal, kept, || true));
            assert!(!Retries::new(9, false).allow(Failure::Broken, kept, || true));
            assert!(Retries::new(9, false).allow(Failure::NotProcessed, kept, || true));
        }
    }

    #[test]
    fn the_budget_bounds_retries_after_new_connections() {
        let mut retries = Retries::new(1, true);
        assert!(!retries.allow(Failure::Broken, false, || false));
        assert!(retries.allow(Failure::Broken, true, || panic!("a kept connection is not charged")));
        assert!(!retries.allow(Failure::Broken, false, || panic!("none are left to be charged")));
    }
}
