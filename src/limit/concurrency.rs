//! Concurrency limits: how many requests may be in flight at once, and the queue of those that wait.

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

/// Counts the requests in flight and queues the requests that wait for a permit.
#[derive(Debug, Default)]
pub(crate) struct InFlightGauge {
    in_flight: AtomicUsize,
    /// The length of `queue`, readable without its lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// First in, first out.
    waiters: VecDeque<Waiter>,
    next_id: u64,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    /// The limit that applies to this request.
    max: usize,
    permit: oneshot::Sender<ConcurrencyPermit>,
}

impl InFlightGauge {
    /// Returns the number of requests in flight.
    pub(crate) fn count(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts one more request, without a limit.
    pub(crate) fn acquire(self: &Arc<Self>) -> ConcurrencyPermit {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        ConcurrencyPermit(Arc::clone(self))
    }

    /// Counts one more request if fewer than `max` are in flight.
    fn try_acquire(self: &Arc<Self>, max: usize) -> Option<ConcurrencyPermit> {
        let more = |count: usize| (count < max).then(|| count + 1);
        let acquired = self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok();
        acquired.then(|| ConcurrencyPermit(Arc::clone(self)))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands free permits to the waiting requests, in order.
    fn grant_waiting(self: &Arc<Self>) {
        let mut queue = self.queue();
        let mut unsent = None;
        while let Some(first) = queue.waiters.front()
            && let Some(permit) = self.try_acquire(first.max)
            && let Some(first) = queue.waiters.pop_front()
        {
            self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
            // A ticket leaves the queue before its receiver is dropped, so the send succeeds. If it ever
            // fails, the permit must not be dropped under the lock: dropping it locks the queue again.
            unsent = first.permit.send(permit).err();
            if unsent.is_some() {
                break;
            }
        }
        drop(queue);
        drop(unsent);
    }
}

/// One request in flight, counted until the permit is dropped.
#[derive(Debug)]
pub(crate) struct ConcurrencyPermit(Arc<InFlightGauge>);

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        // Sequentially consistent, like the other side in `acquire_or_queue`: either this thread sees the new
        // waiter, or the new waiter sees the free permit.
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) != 0 {
            self.0.grant_waiting();
        }
    }
}

/// The bounds of a queue: how many requests may wait, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueBounds {
    pub(crate) max: NonZeroUsize,
    pub(crate) timeout: Duration,
}

/// A limit on the number of requests in flight, optionally with a queue.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLimit {
    pub(crate) max: NonZeroUsize,
    pub(crate) queue: Option<QueueBounds>,
    pub(crate) gauge: Arc<InFlightGauge>,
}

/// The outcome of asking for a permit.
#[derive(Debug)]
pub(crate) enum Admission {
    /// The request may proceed.
    Granted(ConcurrencyPermit),
    /// The request waits in the queue.
    Queued(QueueTicket),
}

impl ConcurrencyLimit {
    /// Acquires a permit without waiting.
    ///
    /// # Errors
    /// Returns the response to send (503) if the limit is reached or other requests are waiting.
    pub(crate) fn try_acquire(&self) -> Result<ConcurrencyPermit, Response<Full<Bytes>>> {
        let nobody_waits = self.gauge.waiting.load(Ordering::SeqCst) == 0;
        let permit = if nobody_waits { self.gauge.try_acquire(self.max.get()) } else { None };
        permit
            .ok_or_else(|| unavailable("as many requests as this API takes at once are under way: try again"))
    }

    /// Acquires a permit, or a place in the queue.
    ///
    /// # Errors
    /// Returns the response to send (503) if the limit is reached and the queue is full or absent.
    pub(crate) fn acquire_or_queue(&self) -> Result<Admission, Response<Full<Bytes>>> {
        let refusal = match (self.try_acquire(), self.queue) {
            (Ok(permit), _) => return Ok(Admission::Granted(permit)),
            (Err(refusal), None) => return Err(refusal),
            (Err(refusal), Some(bounds)) => match self.enqueue(bounds) {
                Some(ticket) => return Ok(Admission::Queued(ticket)),
                None => refusal,
            },
        };
        Err(refusal)
    }

    fn enqueue(&self, bounds: QueueBounds) -> Option<QueueTicket> {
        let mut queue = self.gauge.queue();
        if queue.waiters.len() >= bounds.max.get() {
            return None;
        }
        let (permit, granted) = oneshot::channel();
        let id = queue.next_id;
        queue.next_id = id.wrapping_add(1);
        queue.waiters.push_back(Waiter { id, max: self.max.get(), permit });
        self.gauge.waiting.store(queue.waiters.len(), Ordering::SeqCst);
        drop(queue);
        // A permit may have been released before this waiter was visible.
        self.gauge.grant_waiting();
        Some(QueueTicket { gauge: Arc::clone(&self.gauge), id, granted, timeout: bounds.timeout })
    }
}

/// A place in the queue, given up on drop.
#[derive(Debug)]
pub(crate) struct QueueTicket {
    gauge: Arc<InFlightGauge>,
    id: u64,
    granted: oneshot::Receiver<ConcurrencyPermit>,
    timeout: Duration,
}

impl QueueTicket {
    /// Waits for the permit.
    ///
    /// # Errors
    /// Returns the response to send (503) if no permit became free within the queue's timeout.
    pub(crate) async fn wait(mut self) -> Result<ConcurrencyPermit, Response<Full<Bytes>>> {
        match timeout(self.timeout, &mut self.granted).await {
            Ok(Ok(permit)) => Ok(permit),
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
        // A permit that was granted in the meantime is dropped with `granted`, after the lock is released.
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

    fn limit(max: usize, queue: usize) -> ConcurrencyLimit {
        let bounds = |max| QueueBounds { max, timeout: Duration::from_secs(5) };
        ConcurrencyLimit {
            max: NonZeroUsize::new(max).unwrap(),
            queue: NonZeroUsize::new(queue).map(bounds),
            gauge: Arc::default(),
        }
    }

    fn queued(limit: &ConcurrencyLimit) -> QueueTicket {
        match limit.acquire_or_queue().unwrap() {
            Admission::Queued(ticket) => ticket,
            Admission::Granted(_) => panic!("a permit was free"),
        }
    }

    fn is_granted(ticket: &mut QueueTicket) -> bool {
        matches!(pin!(&mut ticket.granted).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
    }

    #[test]
    fn the_queue_is_first_in_first_out_and_bounded() {
        let limit = limit(1, 2);
        let Admission::Granted(in_flight) = limit.acquire_or_queue().unwrap() else {
            panic!("no permit was free")
        };
        let (mut first, mut second) = (queued(&limit), queued(&limit));
        let refusal = limit.acquire_or_queue().unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        assert!(!is_granted(&mut first));
        drop(in_flight);
        assert!(!is_granted(&mut second), "the first waiter has the permit");
        // A request that does not wait cannot overtake the queue either.
        assert!(limit.try_acquire().is_err());
        drop(first);
        assert!(is_granted(&mut second), "the unused permit of the first waiter goes to the second");
    }

    #[test]
    fn a_dropped_ticket_frees_its_place_in_the_queue() {
        let limit = limit(1, 1);
        let in_flight = limit.try_acquire().unwrap();
        drop(queued(&limit));
        let mut next = queued(&limit);
        drop(in_flight);
        assert!(is_granted(&mut next));
        drop(next);
        assert_eq!(limit.gauge.count(), 0);
        assert!(limit.try_acquire().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queued_request_is_refused_after_the_timeout() {
        let limit = limit(1, 1);
        let in_flight = limit.try_acquire().unwrap();
        let refusal = queued(&limit).wait().await.unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(1))
        );
        let ticket = queued(&limit);
        drop(in_flight);
        drop(ticket.wait().await.unwrap());
        assert_eq!(limit.gauge.count(), 0);
    }

    #[test]
    fn no_permit_is_lost_between_threads() {
        let limit = limit(2, 64);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let limit = limit.clone();
                runtime.spawn(async move {
                    for _ in 0..200 {
                        let permit = match limit.acquire_or_queue().unwrap() {
                            Admission::Granted(permit) => permit,
                            Admission::Queued(ticket) => ticket.wait().await.unwrap(),
                        };
                        assert!(limit.gauge.count() <= 2);
                        tokio::task::yield_now().await;
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        assert_eq!((limit.gauge.count(), limit.gauge.waiting.load(Ordering::SeqCst)), (0, 0));
    }
}
