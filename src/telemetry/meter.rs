//! What is counted of one route, and of one upstream: a set of cells for each thread.

use std::sync::OnceLock;
use std::time::Duration;

use super::thread::{Block, Counted};

/// Upper bounds of the buckets of all durations.
pub(super) const BOUNDS: [Duration; 14] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// Counts under one name, by thread. The cells of a thread are made when it first needs them, so that a route without
/// traffic costs next to nothing.
#[derive(Debug)]
pub(crate) struct Meter<C> {
    name: Box<str>,
    /// One for each thread, and one that all further threads share.
    shards: Box<[OnceLock<Box<C>>]>,
}

/// The cells of this thread.
pub(crate) struct Cells<'a, C> {
    cells: &'a C,
    /// Whether no other thread writes them.
    alone: bool,
}

impl<C: Default> Meter<C> {
    /// A meter for so many threads.
    pub(crate) fn new(name: impl Into<Box<str>>, threads: usize) -> Self {
        let shards = (0..=threads).map(|_| OnceLock::new()).collect();
        Self { name: name.into(), shards }
    }

    /// What its series are called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The cells of the thread with this block.
    #[inline]
    pub(crate) fn cells(&self, block: &Block) -> Option<Cells<'_, C>> {
        let last = self.shards.len().saturating_sub(1);
        let alone = block.index < last;
        let shard = self.shards.get(if alone { block.index } else { last })?;
        Some(Cells { cells: shard.get_or_init(Box::default), alone })
    }

    /// Those that any thread ever used.
    pub(super) fn used(&self) -> impl Iterator<Item = &C> {
        self.shards.iter().filter_map(OnceLock::get).map(|cells| &**cells)
    }

    pub(super) fn is_used(&self) -> bool {
        self.used().next().is_some()
    }

    /// Over all threads.
    pub(super) fn sum(&self, of: impl Fn(&C) -> u64) -> u64 {
        self.used().fold(0, |sum, cells| sum.wrapping_add(of(cells)))
    }
}

impl<C> Cells<'_, C> {
    #[inline]
    fn add(&self, counted: Option<&Counted>, more: u64) {
        match counted {
            Some(counted) if self.alone => counted.add(more),
            Some(counted) => counted.add_shared(more),
            None => {}
        }
    }

    #[inline]
    fn observe(&self, histogram: &Histogram, took: Duration) {
        let at = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        self.add(histogram.buckets.get(at), 1);
        self.add(Some(&histogram.nanos), u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Durations: how many fell between two bounds, and their sum.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    pub(super) buckets: [Counted; BOUNDS.len() + 1],
    pub(super) nanos: Counted,
}

impl Histogram {
    /// Whether nothing ever fell into it.
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.now() == 0)
    }
}

/// The first digit of a status; no answer at all is a class too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Class {
    None,
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
}

impl Class {
    pub(super) const ALL: [Self; 6] = [
        Self::None,
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
    ];

    /// The class of a status; of 0, none.
    #[inline]
    pub(crate) fn of(status: u16) -> Self {
        match status / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            0 => Self::None,
            _ => Self::ServerError,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}

/// What is counted of a route, or of what is in place of one.
#[derive(Debug, Default)]
pub(crate) struct RouteCells {
    pub(super) requests: [Counted; Class::ALL.len()],
    pub(super) duration: Histogram,
    pub(super) bytes_in: Counted,
    pub(super) bytes_out: Counted,
}

impl Cells<'_, RouteCells> {
    /// A request that is over.
    #[inline]
    pub(crate) fn request(&self, class: Class, took: Option<Duration>, bytes_in: u64, bytes_out: u64) {
        self.add(self.cells.requests.get(class as usize), 1);
        if let Some(took) = took {
            self.observe(&self.cells.duration, took);
        }
        if bytes_in > 0 {
            self.add(Some(&self.cells.bytes_in), bytes_in);
        }
        self.add(Some(&self.cells.bytes_out), bytes_out);
    }
}

/// How an upstream failed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum UpstreamFailure {
    NoServer,
    Unreachable,
    TooSlow,
    BadAnswer,
    /// After the head of its answer.
    Broken,
}

impl UpstreamFailure {
    pub(super) const ALL: [Self; 5] =
        [Self::NoServer, Self::Unreachable, Self::TooSlow, Self::BadAnswer, Self::Broken];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NoServer => "no_server",
            Self::Unreachable => "unreachable",
            Self::TooSlow => "timeout",
            Self::BadAnswer => "bad_answer",
            Self::Broken => "broken",
        }
    }
}

/// What is counted of an upstream.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCells {
    pub(super) begun: Counted,
    pub(super) ended: Counted,
    pub(super) retries: Counted,
    pub(super) failures: [Counted; UpstreamFailure::ALL.len()],
    /// Until the head of the answer.
    pub(super) duration: Histogram,
}

impl Cells<'_, UpstreamCells> {
    /// A request is on its way to it.
    #[inline]
    pub(crate) fn begin(&self) {
        self.add(Some(&self.cells.begun), 1);
    }

    /// It is over; `took` is the time until its head came, if one came.
    #[inline]
    pub(crate) fn end(&self, took: Option<Duration>, retries: u32) {
        self.add(Some(&self.cells.ended), 1);
        if let Some(took) = took {
            self.observe(&self.cells.duration, took);
        }
        if retries > 0 {
            self.add(Some(&self.cells.retries), u64::from(retries));
        }
    }

    /// It failed a request.
    pub(crate) fn failed(&self, how: UpstreamFailure) {
        self.add(self.cells.failures.get(how as usize), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::mine;

    #[test]
    fn a_thread_beyond_the_last_shares_and_loses_nothing() {
        let meter: Meter<RouteCells> = Meter::new("r", 0);
        assert!(!meter.is_used());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        meter.cells(mine()).unwrap().request(Class::Success, None, 1, 2);
                    }
                });
            }
        });
        let counted = |of: fn(&RouteCells) -> &Counted| meter.sum(|cells| of(cells).now());
        assert_eq!(counted(|cells| &cells.requests[Class::Success as usize]), 40_000);
        assert_eq!((counted(|cells| &cells.bytes_in), counted(|cells| &cells.bytes_out)), (40_000, 80_000));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let meter: Meter<UpstreamCells> = Meter::new("u", 1_000);
        let cells = meter.cells(mine()).unwrap();
        for took in [Duration::ZERO, Duration::from_micros(500), Duration::from_nanos(500_001), Duration::MAX]
        {
            cells.end(Some(took), 0);
        }
        let buckets = |at: usize| meter.sum(|cells| cells.duration.buckets[at].now());
        assert_eq!((buckets(0), buckets(1), buckets(BOUNDS.len())), (2, 1, 1));
    }

    #[test]
    fn classes() {
        for (status, class) in
            [(0, "none"), (101, "1xx"), (204, "2xx"), (304, "3xx"), (404, "4xx"), (504, "5xx"), (999, "5xx")]
        {
            assert_eq!(Class::of(status).as_str(), class);
        }
    }
}
