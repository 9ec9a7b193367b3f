//! Hashing one secret once, however many requests send it at the same time.
//!
//! A client with many workers sends its secret many times at once when the gateway has just started. Each
//! attempt counts as failed until it has succeeded, so all but a few would be throttled. Instead they wait
//! for the first one, and then find the secret remembered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// The attempts in progress, by the keyed digest of client id and secret. There are at most as many entries
/// as requests in progress.
#[derive(Default)]
pub(crate) struct SingleFlight {
    flights: Mutex<HashMap<[u8; 32], watch::Receiver<()>>>,
}

/// The first attempt with a secret. When it is dropped, the others continue, also if its client has
/// disconnected.
pub(crate) struct First<'a> {
    of: &'a SingleFlight,
    digest: [u8; 32],
    // Nothing is ever sent. The other tasks wait until it is dropped.
    _end: watch::Sender<()>,
}

impl SingleFlight {
    /// Returns a guard if this is the first attempt. Otherwise waits for the first to end and returns `None`.
    pub(crate) async fn first(&self, digest: [u8; 32]) -> Option<First<'_>> {
        let mut other = match self.begin(digest) {
            Ok(first) => return Some(first),
            Err(other) => other,
        };
        let _ = other.changed().await;
        None
    }

    fn begin(&self, digest: [u8; 32]) -> Result<First<'_>, watch::Receiver<()>> {
        match self.flights.lock().unwrap_or_else(PoisonError::into_inner).entry(digest) {
            Entry::Occupied(entry) => Err(entry.get().clone()),
            Entry::Vacant(entry) => {
                let (sender, receiver) = watch::channel(());
                entry.insert(receiver);
                Ok(First { of: self, digest, _end: sender })
            }
        }
    }
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        self.of.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_others_continue_when_the_first_ends() {
        let single_flight = SingleFlight::default();
        let first = single_flight.first([1; 32]).await.unwrap();
        assert!(single_flight.first([2; 32]).await.is_some(), "another secret does not wait");
        let others = async {
            (single_flight.first([1; 32]).await.is_none(), single_flight.first([1; 32]).await.is_some())
        };
        let end = async { drop(first) };
        let ((waited, is_next), ()) = tokio::join!(others, end);
        assert!(waited && is_next);
        assert!(single_flight.flights.lock().unwrap().is_empty());
    }
}
