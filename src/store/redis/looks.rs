//! Numbers the reads of a table, so that a request can wait for one that begins after it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// The reads of a table by one task.
#[derive(Default)]
pub(super) struct Looks {
    begun: AtomicU64,
    /// The last read that has succeeded.
    finished: watch::Sender<u64>,
}

impl Looks {
    /// Numbers a read that is about to be sent.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Records that a read has succeeded.
    pub(super) fn finish(&self, look: u64) {
        self.finished.send_replace(look);
    }

    /// Returns a future that waits for a read which begins after this call.
    pub(super) fn next(&self) -> impl Future<Output = ()> + Send + use<> {
        let next = self.begun.load(Ordering::SeqCst) + 1;
        let mut finished = self.finished.subscribe();
        async move {
            // The sender lives as long as the store. Without it, the caller's time limit ends the wait.
            if finished.wait_for(|look| *look >= next).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_over(wait: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        wait.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn a_read_that_began_before_a_request_does_not_serve_it() {
        let looks = Looks::default();
        let first = looks.begin();
        let mut wait = pin!(looks.next());
        looks.finish(first);
        assert!(!is_over(wait.as_mut()));
        let second = looks.begin();
        let mut later = pin!(looks.next());
        assert!(!is_over(wait.as_mut()), "it has not finished");
        looks.finish(second);
        assert!(is_over(wait.as_mut()) && !is_over(later.as_mut()));
        // A read that has failed is followed by one that succeeds.
        looks.begin();
        let fourth = looks.begin();
        looks.finish(fourth);
        assert!(is_over(later.as_mut()));
    }
}
