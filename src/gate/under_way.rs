//! Secrets that are being hashed right now.
//!
//! A client with many workers sends its secret many times at once when the gateway has just started. Each of these tries
//! counts as failed until it proves good, so all but a few would be refused for failing too often. They wait for the
//! first instead, and find the secret remembered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// By the keyed digest of client id and secret. As many entries as requests that are in the middle of this.
#[derive(Default)]
pub(crate) struct UnderWay {
    tries: Mutex<HashMap<[u8; 32], watch::Receiver<()>>>,
}

/// The first try of a secret. Dropped, also because its client hung up, it lets the others go on.
pub(crate) struct First<'a> {
    of: &'a UnderWay,
    digest: [u8; 32],
    // Never sent on: the others wait for its end.
    _end: watch::Sender<()>,
}

impl UnderWay {
    /// Is this the first try? If not, waits until that is over.
    pub(crate) async fn first(&self, digest: [u8; 32]) -> Option<First<'_>> {
        let mut other = match self.begin(digest) {
            Ok(first) => return Some(first),
            Err(other) => other,
        };
        let _ = other.changed().await;
        None
    }

    fn begin(&self, digest: [u8; 32]) -> Result<First<'_>, watch::Receiver<()>> {
        match self.tries.lock().unwrap_or_else(PoisonError::into_inner).entry(digest) {
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
        self.of.tries.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_others_go_on_when_the_first_is_over() {
        let under_way = UnderWay::default();
        let first = under_way.first([1; 32]).await.unwrap();
        assert!(under_way.first([2; 32]).await.is_some(), "another secret does not wait");
        let others =
            async { (under_way.first([1; 32]).await.is_none(), under_way.first([1; 32]).await.is_some()) };
        let end = async { drop(first) };
        let ((waited, is_next), ()) = tokio::join!(others, end);
        assert!(waited && is_next);
        assert!(under_way.tries.lock().unwrap().is_empty());
    }
}
