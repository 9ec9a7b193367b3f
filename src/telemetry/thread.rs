//! The counters of a thread. Only that thread writes them, so a relaxed load and store are enough, and no
//! cache line is shared.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::reason::Reason;

/// An event that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Event {
    /// A request reached the handler.
    RequestBegun,
    /// The response to a request was sent or abandoned.
    RequestEnded,
    /// A client connection was accepted.
    ConnectionOpened,
    /// A client connection was closed.
    ConnectionClosed,
    /// A client connection was refused because a limit was reached.
    ConnectionRefused,
    /// A TLS handshake failed or took too long.
    HandshakeFailed,
    /// A request head was refused by the parser: not HTTP, too large or too slow.
    HeadRefused,
    /// The token endpoint issued a token.
    TokenIssued,
    /// Introspection reported an active token.
    TokenActive,
    /// Introspection reported an inactive token.
    TokenInactive,
    /// The revocation endpoint succeeded.
    Revoked,
    /// A connection to a server was opened.
    UpstreamOpened,
    /// A connection to a server was closed.
    UpstreamClosed,
    /// A connection to a server became idle.
    UpstreamParked,
    /// An idle connection to a server was reused or closed.
    UpstreamUnparked,
    /// A line of the access log was dropped because the buffer was full.
    LineDropped,
}

const EVENTS: usize = Event::LineDropped as usize + 1;

/// The endpoints whose errors follow RFC 6749 §5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EndpointName {
    Token,
    Introspection,
    Revocation,
    Registration,
}

impl EndpointName {
    pub(crate) const ALL: [Self; 4] =
        [Self::Token, Self::Introspection, Self::Revocation, Self::Registration];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::Registration => "registration",
        }
    }
}

/// A counter that usually only one thread writes.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to a counter that no other thread writes.
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// Adds to a counter that other threads may write.
    #[inline]
    pub(crate) fn add_shared(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters of one thread, and its buffer of the access log.
#[derive(Debug)]
pub(crate) struct ThreadCounters {
    /// The index of the thread, from zero, among the threads that count.
    pub(crate) index: usize,
    events: [Counter; EVENTS],
    refusals: [Counter; Reason::COUNT],
    endpoint_refusals: [[Counter; Reason::COUNT]; EndpointName::ALL.len()],
    /// Lines that the writer has not taken yet. The lock is contended only while the writer swaps the buffer.
    pub(super) lines: Mutex<Vec<u8>>,
    /// The number of ids created, of requests and of traces.
    ids: Counter,
}

impl ThreadCounters {
    fn new(index: usize) -> Self {
        Self {
            index,
            events: Default::default(),
            refusals: std::array::from_fn(|_| Counter::default()),
            endpoint_refusals: std::array::from_fn(|_| std::array::from_fn(|_| Counter::default())),
            lines: Mutex::default(),
            ids: Counter::default(),
        }
    }

    /// Counts an event.
    #[inline]
    pub(crate) fn count(&self, event: Event) {
        if let Some(counted) = self.events.get(event as usize) {
            counted.add(1);
        }
    }

    /// Counts a refused request.
    pub(crate) fn refused(&self, reason: Reason) {
        if let Some(counted) = self.refusals.get(reason as usize) {
            counted.add(1);
        }
    }

    /// Counts a request that an OAuth endpoint refused.
    pub(crate) fn endpoint_refused(&self, endpoint: EndpointName, reason: Reason) {
        let counted = self.endpoint_refusals.get(endpoint as usize).and_then(|all| all.get(reason as usize));
        if let Some(counted) = counted {
            counted.add(1);
        }
    }

    /// Returns a number that no other call returns, on any thread: 2^44 numbers for each of a million threads.
    pub(super) fn unique_number(&self) -> u64 {
        self.ids.add(1);
        (u64::try_from(self.index).unwrap_or(0) << 44).wrapping_add(self.ids.now())
    }
}

/// The counters of every thread that ever counted. They are never freed, because sums must not decrease.
static ALL: Mutex<Vec<&'static ThreadCounters>> = Mutex::new(Vec::new());

thread_local! {
    static COUNTERS: Cell<Option<&'static ThreadCounters>> = const { Cell::new(None) };
}

/// Returns the counters of this thread.
#[inline]
pub(crate) fn thread_counters() -> &'static ThreadCounters {
    match COUNTERS.get() {
        Some(counters) => counters,
        None => register(),
    }
}

#[cold]
fn register() -> &'static ThreadCounters {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let counters: &'static ThreadCounters = Box::leak(Box::new(ThreadCounters::new(all.len())));
    all.push(counters);
    COUNTERS.set(Some(counters));
    counters
}

/// Counts an event on this thread.
#[inline]
pub(crate) fn count(event: Event) {
    thread_counters().count(event);
}

/// Counts one event when it is created, and another when it is dropped.
#[derive(Debug)]
pub(crate) struct GaugeGuard(Event);

impl GaugeGuard {
    #[inline]
    pub(crate) fn new(begins: Event, ends: Event) -> Self {
        count(begins);
        Self(ends)
    }
}

impl Drop for GaugeGuard {
    #[inline]
    fn drop(&mut self) {
        count(self.0);
    }
}

/// Returns the counters of all threads.
pub(super) fn all_counters() -> Vec<&'static ThreadCounters> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns the count of an event over all threads.
pub(super) fn total(event: Event) -> u64 {
    sum(|thread| thread.events.get(event as usize))
}

/// Returns the count of refused requests over all threads.
pub(super) fn total_refused(reason: Reason) -> u64 {
    sum(|thread| thread.refusals.get(reason as usize))
}

/// Returns the count of requests that an endpoint refused over all threads.
pub(super) fn total_endpoint_refused(endpoint: EndpointName, reason: Reason) -> u64 {
    sum(|thread| thread.endpoint_refusals.get(endpoint as usize)?.get(reason as usize))
}

/// Returns the current value of a gauge: the number begun minus the number ended. The end is read first, so
/// that an event that begins and ends in between does not make the result negative.
pub(super) fn difference(begun: Event, ended: Event) -> u64 {
    let ended = total(ended);
    total(begun).saturating_sub(ended)
}

fn sum(of: impl Fn(&'static ThreadCounters) -> Option<&'static Counter>) -> u64 {
    all_counters().into_iter().filter_map(of).fold(0, |sum, counted| sum.wrapping_add(counted.now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_separate_counters_and_no_count_is_lost() {
        let before = total(Event::LineDropped);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..10_000 {
                        count(Event::LineDropped);
                    }
                    thread_counters().index
                })
            })
            .collect();
        let mut indices: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 4, "no two threads share their counters");
        assert!(total(Event::LineDropped) >= before + 40_000, "the counts of ended threads are kept");
    }
}
