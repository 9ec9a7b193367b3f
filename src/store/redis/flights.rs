//! Queries for tokens that are not in memory: one at a time for each token, and a bounded number in all.
//!
//! Anyone can make up a well-formed token and so cause a query. The number of concurrent queries and the
//! number of unknown tokens per second are therefore bounded. Responses are not cached: a token that is
//! unknown now may be issued in the next moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::token_store::StoreError;

/// The maximum number of tokens whose queries wait or are in flight.
const MOST: usize = 4_096;
/// The maximum number of queries in flight.
const AT_ONCE: usize = 64;
/// The maximum number of queries per second for tokens that turn out to be unknown.
const UNKNOWN_PER_SECOND: f64 = 10_000.0;

pub(super) type Answer = Result<Option<Record>, StoreError>;

pub(super) struct Flights {
    waiting: Mutex<HashMap<TokenDigest, Vec<oneshot::Sender<Answer>>>>,
    pub(super) places: Semaphore,
    budget: Mutex<Budget>,
}

/// The queries for unknown tokens that are allowed now. The number grows with time, up to a limit.
struct Budget {
    left: f64,
    since: Option<Instant>,
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
            budget: Mutex::new(Budget { left: UNKNOWN_PER_SECOND, since: None }),
        }
    }
}

pub(super) enum Joined {
    /// The caller must send the query.
    First(oneshot::Receiver<Answer>),
    /// Another caller has sent the query.
    Waits(oneshot::Receiver<Answer>),
    TooMany,
}

impl Flights {
    /// Joins the waiters for the response about a token.
    pub(super) fn join(&self, token: TokenDigest) -> Joined {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = waiting.len() >= MOST;
        match waiting.entry(token) {
            Entry::Occupied(mut others) => {
                others.get_mut().push(sender);
                Joined::Waits(answer)
            }
            Entry::Vacant(_) if full => Joined::TooMany,
            Entry::Vacant(place) => {
                place.insert(vec![sender]);
                Joined::First(answer)
            }
        }
    }

    /// Passes the response to the waiters.
    pub(super) fn land(&self, token: &TokenDigest, answer: &Answer) {
        // A thread that panicked with the lock held left the table whole.
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
        for sender in waiting.into_iter().flatten() {
            let _ = sender.send(answer.clone());
        }
    }

    /// Waits until another query is allowed.
    pub(super) async fn spend(&self) {
        loop {
            let pause = self.budget.lock().unwrap_or_else(PoisonError::into_inner).spend(Instant::now());
            match pause {
                None => return,
                Some(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Returns the permit of a query whose token is known.
    pub(super) fn refund(&self) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.left = (budget.left + 1.0).min(UNKNOWN_PER_SECOND);
    }
}

impl Budget {
    /// Returns how long to wait if no permit is left.
    fn spend(&mut self, now: Instant) -> Option<Duration> {
        let passed = self.since.replace(now).map_or(0.0, |since| now.duration_since(since).as_secs_f64());
        self.left = (self.left + passed * UNKNOWN_PER_SECOND).min(UNKNOWN_PER_SECOND);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return None;
        }
        Some(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_about_unknown_tokens_are_bounded() {
        let mut budget = Budget { left: UNKNOWN_PER_SECOND, since: None };
        let now = Instant::now();
        let asked = (0..50_000).take_while(|_| budget.spend(now).is_none()).count();
        assert_eq!(asked, 10_000);
        assert!(budget.spend(now).is_some());
        let later = now + Duration::from_millis(100);
        let asked = (0..50_000).take_while(|_| budget.spend(later).is_none()).count();
        assert!((999..=1_001).contains(&asked), "{asked}");
    }

    #[test]
    fn one_question_is_asked_about_a_token_and_not_too_many_wait() {
        let flights = Flights::default();
        let token = |number: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            TokenDigest::from_bytes(bytes)
        };
        let Joined::First(mut first) = flights.join(token(0)) else { panic!("nobody asks yet") };
        let Joined::Waits(mut second) = flights.join(token(0)) else { panic!("somebody asks") };
        for number in 1..MOST as u64 {
            assert!(matches!(flights.join(token(number)), Joined::First(_)));
        }
        assert!(matches!(flights.join(token(u64::MAX)), Joined::TooMany));
        assert!(matches!(flights.join(token(0)), Joined::Waits(_)), "this one is asked anyway");
        flights.land(&token(0), &Ok(None));
        assert!(matches!(first.try_recv(), Ok(Ok(None))) && matches!(second.try_recv(), Ok(Ok(None))));
        assert!(matches!(flights.join(token(u64::MAX)), Joined::First(_)));
    }
}
