//! Limits the queries to the store about clients that this gateway does not know.

use std::sync::atomic::{AtomicU64, Ordering};

/// The most queries to the store in a second. Requests of strangers can name clients that do not exist.
const MOST_QUESTIONS: u64 = 200;
/// The low bits of the word, which count the queries. The bits above them are the second.
const COUNT_BITS: u32 = 16;

/// Counts the queries to the store in the current second.
#[derive(Default)]
pub(super) struct Questions(AtomicU64);

impl Questions {
    /// Counts a query. Returns `false` if there were too many in this second.
    pub(super) fn admit(&self, second: u64) -> bool {
        let begin = second << COUNT_BITS;
        let next = |word: u64| {
            let asked = if word >> COUNT_BITS == second { word - begin } else { 0 };
            (asked < MOST_QUESTIONS).then_some(begin + asked + 1)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_bounded_in_each_second() {
        let questions = Questions::default();
        let admitted = |second| (0..1_000).filter(|_| questions.admit(second)).count() as u64;
        assert_eq!([admitted(1), admitted(1), admitted(2)], [MOST_QUESTIONS, 0, MOST_QUESTIONS]);
    }
}
