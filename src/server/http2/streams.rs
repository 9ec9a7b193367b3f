//! The streams of one connection. Each runs in a place whose memory successive streams reuse.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::wakers::{PARTS, Wakers};
use crate::proxy::stream::Stream;

/// Passes one stream after the other to the future of a place.
#[derive(Default)]
pub(super) struct Handoff {
    stream: Mutex<Option<Stream>>,
    /// Whether a stream was put in that has not been taken out.
    waits: AtomicBool,
    /// Whether a stream was put in that has not been answered.
    busy: AtomicBool,
}

impl Handoff {
    /// Waits for the next stream. The last one has been answered.
    pub(super) async fn next(&self) -> Stream {
        std::future::poll_fn(|_| match self.take() {
            Some(stream) => Poll::Ready(stream),
            // The place is polled when a stream is put in.
            None => {
                self.busy.store(false, Relaxed);
                Poll::Pending
            }
        })
        .await
    }

    fn take(&self) -> Option<Stream> {
        // One task puts in and takes out, so this is never an old value.
        if !self.waits.load(Relaxed) {
            return None;
        }
        self.waits.store(false, Relaxed);
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, stream: Stream) {
        self.busy.store(true, Relaxed);
        self.waits.store(true, Relaxed);
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }
}

/// A place for one stream after the other.
struct Place<F> {
    future: Pin<Box<F>>,
    handoff: Arc<Handoff>,
    waker: Waker,
}

/// The streams of one connection.
pub(super) struct Streams<F> {
    places: Vec<Place<F>>,
    /// The places without a stream.
    free: Vec<usize>,
}

impl<F: Future> Streams<F> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Returns the number of streams that have not been answered.
    pub(super) fn in_flight(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Returns whether no further stream can be started.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.places.len() + 1 >= PARTS
    }

    /// Gives a stream a place, which is then to be polled, and returns the place. `place` creates the future of
    /// a new place, which answers the streams of a [`Handoff`]. Must not be called while
    /// [`is_full`](Self::is_full).
    pub(super) fn start(
        &mut self,
        stream: Stream,
        wakers: &Arc<Wakers>,
        place: impl FnOnce(Arc<Handoff>) -> F,
    ) -> usize {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let handoff = Arc::<Handoff>::default();
                let future = Box::pin(place(Arc::clone(&handoff)));
                // Part 0 is the connection.
                let waker = wakers.waker(self.places.len() + 1);
                self.places.push(Place { future, handoff, waker });
                self.places.len() - 1
            }
        };
        if let Some(place) = self.places.get(index) {
            place.handoff.put(stream);
        }
        index
    }

    /// Polls the stream in a place.
    pub(super) fn poll(&mut self, index: usize) {
        let Some(Place { future, handoff, waker }) = self.places.get_mut(index) else { return };
        // A place without a stream may be woken by what its last stream waited for.
        if !handoff.busy.load(Relaxed) {
            return;
        }
        // The future of a place never completes.
        let _ = future.as_mut().poll(&mut Context::from_waker(waker));
        if !handoff.busy.load(Relaxed) {
            self.free.push(index);
        }
    }

    /// Frees the memory of all places, if none has a stream.
    pub(super) fn rest(&mut self) {
        if self.in_flight() == 0 {
            *self = Self::new();
        }
    }
}
