//! The last fault of a server, for operators.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;

/// The longest text that is kept, in bytes.
const LONGEST: usize = 240;
/// How long a fault is shown before another one replaces it. While a server is down, every request fails.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// The last fault of a server: of a request or of a probe.
#[derive(Debug, Default)]
pub(crate) struct LastFault(Mutex<Option<Fault>>);

/// A fault of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// When it happened, on the clock that all server states share.
    pub(crate) at: Millis,
    /// What happened.
    pub(crate) text: Box<str>,
}

impl LastFault {
    /// Records a fault.
    pub(crate) fn record(&self, what: &dyn fmt::Display, now: Millis) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|last| now.since(last.at) < KEPT_FOR) {
            return;
        }
        let mut text = what.to_string();
        let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        *last = Some(Fault { at: now, text: text.into() });
    }

    /// Returns the last fault.
    pub(crate) fn get(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_bounded_in_length_and_in_rate() {
        let last = LastFault::default();
        assert_eq!(last.get(), None);
        last.record(&"é".repeat(LONGEST), Millis::new(5_000));
        assert_eq!(last.get().map(|fault| fault.text.len()), Some(LONGEST));
        last.record(&"refused", Millis::new(5_999));
        assert_eq!(last.get().map(|fault| fault.at), Some(Millis::new(5_000)));
        last.record(&"refused", Millis::new(6_000));
        assert_eq!(last.get(), Some(Fault { at: Millis::new(6_000), text: "refused".into() }));
    }
}
