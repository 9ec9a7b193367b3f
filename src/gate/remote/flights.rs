//! Sends at most one introspection request about a token at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oauth::token::TokenDigest;

/// The tokens that are being introspected. `T` is an answer.
///
/// Requests with the same token share answers, but a request only uses an answer whose introspection began
/// after the request had arrived: an earlier one may have been answered before a revocation that the request
/// must notice. So the first request introspects the token, and all requests that arrive in the meantime
/// share the next introspection.
///
/// There are at most as many entries as waiting requests.
pub(super) struct Flights<T> {
    flights: Mutex<HashMap<TokenDigest, Arc<Flight<T>>>>,
}

struct Flight<T> {
    /// The number of introspections that have begun.
    begun: AtomicU64,
    /// The latest answer, and the number of its introspection. The request that introspects holds the lock.
    landed: tokio::sync::Mutex<Option<(u64, T)>>,
}

impl<T: Clone> Flights<T> {
    pub(super) fn new() -> Self {
        Self { flights: Mutex::default() }
    }

    /// Returns the answer about a token: that of another request if its introspection began after this call,
    /// or else the one that `ask` returns. If the future is dropped while it introspects, the next request
    /// does it instead.
    pub(super) async fn share(&self, digest: TokenDigest, ask: impl AsyncFnOnce() -> T) -> T {
        let passenger = self.board(digest);
        let flight = &passenger.flight;
        let begun_before = flight.begun.load(Ordering::Acquire);
        let mut landed = flight.landed.lock().await;
        if let Some((number, answer)) = &*landed
            && *number > begun_before
        {
            return answer.clone();
        }
        let number = flight.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let answer = ask().await;
        *landed = Some((number, answer.clone()));
        answer
    }

    fn board(&self, digest: TokenDigest) -> Passenger<'_, T> {
        let new = || Arc::new(Flight { begun: AtomicU64::new(0), landed: tokio::sync::Mutex::new(None) });
        let flight = Arc::clone(self.lock().entry(digest).or_insert_with(new));
        Passenger { flights: self, digest, flight }
    }

    /// Returns the number of tokens that are being introspected.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

impl<T> Flights<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<TokenDigest, Arc<Flight<T>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's use of a flight. The last one removes the flight.
struct Passenger<'a, T> {
    flights: &'a Flights<T>,
    digest: TokenDigest,
    flight: Arc<Flight<T>>,
}

impl<T> Drop for Passenger<'_, T> {
    fn drop(&mut self) {
        // References are only added under this lock: one is the map's, one is this.
        let mut flights = self.flights.lock();
        if Arc::strong_count(&self.flight) == 2 {
            flights.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::oauth::token::AccessToken;

    fn digest(number: u8) -> TokenDigest {
        AccessToken::from_random(&[number; 32]).digest()
    }

    #[tokio::test]
    async fn requests_that_arrive_during_an_introspection_share_the_next_one() {
        let flights = Flights::new();
        let asked = AtomicUsize::new(0);
        let land = tokio::sync::Semaphore::new(0);
        let ask = async || {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            land.acquire().await.unwrap().forget();
            number
        };
        let mut first = pin!(flights.share(digest(1), ask));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        let mut others: Vec<_> = (0..10).map(|_| Box::pin(flights.share(digest(1), ask))).collect();
        assert!(others.iter_mut().all(|other| other.as_mut().poll(&mut cx).is_pending()));
        assert_eq!(asked.load(Ordering::Relaxed), 1, "one introspection at a time");
        land.add_permits(2);
        assert_eq!(first.await, 0);
        for other in others {
            assert_eq!(other.await, 1, "the introspection began after the request");
        }
        assert_eq!((asked.load(Ordering::Relaxed), flights.len()), (2, 0));
    }

    #[tokio::test]
    async fn another_token_does_not_wait_and_the_next_request_continues_for_a_dropped_one() {
        let flights = Flights::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut stuck = Box::pin(flights.share(digest(1), async || poll_fn(|_| Poll::<u8>::Pending).await));
        assert!(stuck.as_mut().poll(&mut cx).is_pending());
        assert_eq!(flights.share(digest(2), async || 2).await, 2);
        let mut next = Box::pin(flights.share(digest(1), async || 3));
        assert!(next.as_mut().poll(&mut cx).is_pending());
        drop(stuck);
        assert_eq!(next.await, 3);
        assert_eq!(flights.len(), 0);
    }
}
