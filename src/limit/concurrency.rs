//! Requests under way: how many at once, and who waits for a place.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::response;

/// How many requests are under way, and which wait to be.
#[derive(Debug, Default)]
pub(crate) struct InFlightGauge {
    now: AtomicUsize,
    /// As many as stand in `queue`: those that find no place look here without a lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// First come, first served.
    waiters: VecDeque<Waiter>,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    /// How many may be under way for this one to go.
    most: usize,
    place: oneshot::Sender<ConcurrencyPermit>,
}

impl InFlightGauge {
    /// How many now.
    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// One more, however many there are.
    pub(crate) fn enter(self: &Arc<Self>) -> ConcurrencyPermit {
        self.now.fetch_add(1, Ordering::Relaxed);
        ConcurrencyPermit(Arc::clone(self))
    }

    /// One more, if there are fewer than `most`.
    fn take(self: &Arc<Self>, most: usize) -> Option<ConcurrencyPermit> {
        let more = |now: usize| (now < most).then(|| now + 1);
        let taken = self.now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok();
        taken.then(|| ConcurrencyPermit(Arc::clone(self)))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the places that are free to those who wait, in their order.
    fn serve(self: &Arc<Self>) {
        let mut queue = self.queue();
        let mut lost = None;
        while let Some(first) = queue.waiters.front()
            && let Some(slot) = self.take(first.most)
            && let Some(first) = queue.waiters.pop_front()
        {
            self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
            // A ticket leaves the queue before its receiver goes, so this does not fail; if it ever did, the place
            // must not be dropped under the lock.
            lost = first.place.send(slot).err();
            if lost.is_some() {
                break;
            }
        }
        drop(queue);
        drop(lost);
    }
}

/// A request under way, until dropped.
#[derive(Debug)]
pub(crate) struct ConcurrencyPermit(Arc<InFlightGauge>);

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        // Sequentially consistent, as is the other side in `enter_or_wait`: either this sees who waits, or who begins
        // to wait sees this place.
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) != 0 {
            self.0.serve();
        }
    }
}

/// How many may wait for a place, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueBounds {
    pub(crate) most: NonZeroUsize,
    pub(crate) within: Duration,
}

/// At most so many requests under way at once.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLimit {
    pub(crate) most: NonZeroUsize,
    pub(crate) queue: Option<QueueBounds>,
    pub(crate) gauge: Arc<InFlightGauge>,
}

/// Where a request stands that asked for a place.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It has one.
    In(ConcurrencyPermit),
    /// It waits for one.
    Waiting(QueueTicket),
}

impl ConcurrencyLimit {
    /// A place for one more.
    ///
    /// # Errors
    /// There is none: the answer to that.
    pub(crate) fn enter(&self) -> Result<ConcurrencyPermit, Response<Full<Bytes>>> {
        let free = self.gauge.waiting.load(Ordering::SeqCst) == 0;
        let slot = if free { self.gauge.take(self.most.get()) } else { None };
        slot.ok_or_else(|| unavailable("as many requests as this API takes at once are under way: try again"))
    }

    /// A place for one more, or one among those who wait.
    ///
    /// # Errors
    /// There is neither: the answer to that.
    pub(crate) fn enter_or_wait(&self) -> Result<Entry, Response<Full<Bytes>>> {
        let refusal = match (self.enter(), self.queue) {
            (Ok(slot), _) => return Ok(Entry::In(slot)),
            (Err(refusal), None) => return Err(refusal),
            (Err(refusal), Some(bounds)) => match self.line_up(bounds) {
                Some(ticket) => return Ok(Entry::Waiting(ticket)),
                None => refusal,
            },
        };
        Err(refusal)
    }

    fn line_up(&self, bounds: QueueBounds) -> Option<QueueTicket> {
        let mut queue = self.gauge.queue();
        if queue.waiters.len() >= bounds.most.get() {
            return None;
        }
        let (place, granted) = oneshot::channel();
        let id = queue.next;
        queue.next = id.wrapping_add(1);
        queue.waiters.push_back(Waiter { id, most: self.most.get(), place });
        self.gauge.waiting.store(queue.waiters.len(), Ordering::SeqCst);
        drop(queue);
        // A place may have become free before anybody could know that this one waits.
        self.gauge.serve();
        Some(QueueTicket { gauge: Arc::clone(&self.gauge), id, granted, within: bounds.within })
    }
}

/// A place among those who wait; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct QueueTicket {
    gauge: Arc<InFlightGauge>,
    id: u64,
    granted: oneshot::Receiver<ConcurrencyPermit>,
    within: Duration,
}

impl QueueTicket {
    /// Waits for the place.
    ///
    /// # Errors
    /// It took too long: the answer to that.
    pub(crate) async fn wait(mut self) -> Result<ConcurrencyPermit, Response<Full<Bytes>>> {
        match timeout(self.within, &mut self.granted).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => {
                Err(unavailable("this API takes no more requests at once, and none ended in time: try again"))
            }
        }
    }
}

impl Drop for QueueTicket {
    fn drop(&mut self) {
        let mut queue = self.gauge.queue();
        queue.waiters.retain(|waiter| waiter.id != self.id);
        self.gauge.waiting.store(queue.waiters.len(), Ordering::SeqCst);
        // What was granted meanwhile is dropped with the receiver, after the lock.
    }
}

fn unavailable(detail: &str) -> Response<Full<Bytes>> {
    let mut response = response::problem(StatusCode::SERVICE_UNAVAILABLE, detail);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn bound(most: usize, queue: usize) -> ConcurrencyLimit {
        let bounds = |most| QueueBounds { most, within: Duration::from_secs(5) };
        ConcurrencyLimit {
            most: NonZeroUsize::new(most).unwrap(),
            queue: NonZeroUsize::new(queue).map(bounds),
            gauge: Arc::default(),
        }
    }

    fn waiting(bound: &ConcurrencyLimit) -> QueueTicket {
        match bound.enter_or_wait().unwrap() {
            Entry::Waiting(ticket) => ticket,
            Entry::In(_) => panic!("there was a place"),
        }
    }

    fn is_granted(ticket: &mut QueueTicket) -> bool {
        matches!(pin!(&mut ticket.granted).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
    }

    #[test]
    fn first_come_first_served_and_no_more_than_may_wait() {
        let bound = bound(1, 2);
        let Entry::In(under_way) = bound.enter_or_wait().unwrap() else { panic!("no place") };
        let (mut first, mut second) = (waiting(&bound), waiting(&bound));
        let refusal = bound.enter_or_wait().unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        assert!(!is_granted(&mut first));
        drop(under_way);
        assert!(!is_granted(&mut second), "the first one has the place");
        // Nobody overtakes those who wait, not even by the way that does not wait.
        assert!(bound.enter().is_err());
        drop(first);
        assert!(is_granted(&mut second), "its place was given back unused");
    }

    #[test]
    fn who_leaves_frees_its_place_in_the_queue() {
        let bound = bound(1, 1);
        let under_way = bound.enter().unwrap();
        drop(waiting(&bound));
        let mut next = waiting(&bound);
        drop(under_way);
        assert!(is_granted(&mut next));
        drop(next);
        assert_eq!(bound.gauge.now(), 0);
        assert!(bound.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_allowed() {
        let bound = bound(1, 1);
        let under_way = bound.enter().unwrap();
        let refusal = waiting(&bound).wait().await.unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        let ticket = waiting(&bound);
        drop(under_way);
        drop(ticket.wait().await.unwrap());
        assert_eq!(bound.gauge.now(), 0);
    }

    #[test]
    fn no_place_is_lost_between_threads() {
        let bound = bound(2, 64);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let bound = bound.clone();
                runtime.spawn(async move {
                    for _ in 0..200 {
                        let slot = match bound.enter_or_wait().unwrap() {
                            Entry::In(slot) => slot,
                            Entry::Waiting(ticket) => ticket.wait().await.unwrap(),
                        };
                        assert!(bound.gauge.now() <= 2);
                        tokio::task::yield_now().await;
                        drop(slot);
                    }
                })
            })
            .collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        assert_eq!((bound.gauge.now(), bound.gauge.waiting.load(Ordering::SeqCst)), (0, 0));
    }
}
