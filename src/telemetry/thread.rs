//! What one thread has counted. It alone writes it, so a relaxed load and a store are enough, and no other thread's
//! cache line is touched.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::reason::Reason;

/// Something that is only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Event {
    /// A request reached the handler.
    RequestBegun,
    /// Its answer was handed over whole, or given up.
    RequestEnded,
    /// A connection was accepted.
    ConnectionOpened,
    /// It was closed.
    ConnectionClosed,
    /// A connection was over a limit.
    ConnectionRefused,
    /// A TLS handshake failed or took too long.
    HandshakeFailed,
    /// A request head was refused before it was a request: not HTTP, too large, too slow.
    HeadRefused,
    /// The token endpoint issued a token.
    TokenIssued,
    /// Introspection told of a live token.
    TokenActive,
    /// Introspection told that a token is not live.
    TokenInactive,
    /// The revocation endpoint did what it was asked.
    Revoked,
    /// A connection to a server was made.
    UpstreamOpened,
    /// It was closed.
    UpstreamClosed,
    /// A connection to a server became idle.
    UpstreamParked,
    /// It was taken up again, or closed.
    UpstreamUnparked,
    /// A line for the access log found no room.
    LineDropped,
}

const EVENTS: usize = Event::LineDropped as usize + 1;

/// The endpoints that refuse by RFC 6749 §5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EndpointName {
    Token,
    Introspection,
    Revocation,
}

impl EndpointName {
    pub(crate) const ALL: [Self; 3] = [Self::Token, Self::Introspection, Self::Revocation];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
        }
    }
}

/// A number that only its thread changes.
#[derive(Debug, Default)]
pub(crate) struct Counted(AtomicU64);

impl Counted {
    /// Adds, where no other thread writes.
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// Adds, where another thread may write too.
    #[inline]
    pub(crate) fn add_shared(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The numbers of one thread, and its part of the access log.
#[derive(Debug)]
pub(crate) struct Block {
    /// Counts up from zero over the threads that count.
    pub(crate) index: usize,
    events: [Counted; EVENTS],
    refusals: [Counted; Reason::COUNT],
    endpoint_refusals: [[Counted; Reason::COUNT]; EndpointName::ALL.len()],
    /// Lines not yet taken by the writer. Its lock is contended for the moment in which the writer takes them.
    pub(super) lines: Mutex<Vec<u8>>,
    /// How many request ids it has made.
    ids: Counted,
}

impl Block {
    fn new(index: usize) -> Self {
        Self {
            index,
            events: Default::default(),
            refusals: std::array::from_fn(|_| Counted::default()),
            endpoint_refusals: std::array::from_fn(|_| std::array::from_fn(|_| Counted::default())),
            lines: Mutex::default(),
            ids: Counted::default(),
        }
    }

    /// Counts one more.
    #[inline]
    pub(crate) fn count(&self, event: Event) {
        if let Some(counted) = self.events.get(event as usize) {
            counted.add(1);
        }
    }

    /// Counts a request that was refused.
    pub(crate) fn refused(&self, reason: Reason) {
        if let Some(counted) = self.refusals.get(reason as usize) {
            counted.add(1);
        }
    }

    /// Counts a request that an endpoint refused.
    pub(crate) fn endpoint_refused(&self, endpoint: EndpointName, reason: Reason) {
        let counted = self.endpoint_refusals.get(endpoint as usize).and_then(|all| all.get(reason as usize));
        if let Some(counted) = counted {
            counted.add(1);
        }
    }

    /// A number that this thread has not had before.
    pub(super) fn next_id(&self) -> u64 {
        self.ids.add(1);
        self.ids.now()
    }
}

/// One for each thread that ever counted: the worker threads, and in tests some more. They are never given back, or
/// sums would go down.
static BLOCKS: Mutex<Vec<&'static Block>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Cell<Option<&'static Block>> = const { Cell::new(None) };
}

/// This thread's block.
#[inline]
pub(crate) fn mine() -> &'static Block {
    match MINE.get() {
        Some(block) => block,
        None => first(),
    }
}

#[cold]
fn first() -> &'static Block {
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    let block: &'static Block = Box::leak(Box::new(Block::new(blocks.len())));
    blocks.push(block);
    MINE.set(Some(block));
    block
}

/// Counts one more on this thread.
#[inline]
pub(crate) fn count(event: Event) {
    mine().count(event);
}

/// Something that is counted when it begins, and when it ends by being dropped.
#[derive(Debug)]
pub(crate) struct GaugeGuard(Event);

impl GaugeGuard {
    /// It begins, and will end so.
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

/// All blocks there are.
pub(super) fn all() -> Vec<&'static Block> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Of all threads.
pub(super) fn total(event: Event) -> u64 {
    sum(|block| block.events.get(event as usize))
}

/// Of all threads.
pub(super) fn total_refused(reason: Reason) -> u64 {
    sum(|block| block.refusals.get(reason as usize))
}

/// Of all threads.
pub(super) fn total_endpoint_refused(endpoint: EndpointName, reason: Reason) -> u64 {
    sum(|block| block.endpoint_refusals.get(endpoint as usize)?.get(reason as usize))
}

/// How many there are now: those that began less those that ended. Read the other way round, so that one that begins
/// and ends in between does not make it negative.
pub(super) fn difference(begun: Event, ended: Event) -> u64 {
    let ended = total(ended);
    total(begun).saturating_sub(ended)
}

fn sum(of: impl Fn(&'static Block) -> Option<&'static Counted>) -> u64 {
    all().into_iter().filter_map(of).fold(0, |sum, counted| sum.wrapping_add(counted.now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_counts_for_itself_and_nothing_is_lost() {
        let before = total(Event::LineDropped);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..10_000 {
                        count(Event::LineDropped);
                    }
                    mine().index
                })
            })
            .collect();
        let mut indices: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 4, "no two threads share a block");
        assert!(total(Event::LineDropped) >= before + 40_000, "the counts of ended threads stay");
    }
}
