//! Meters of routes and upstreams: a set of cells for each thread.

use std::sync::OnceLock;
use std::time::Duration;

use super::json::Escaped;
use super::thread::{Counter, ThreadCounters};

/// The upper bounds of the buckets of all duration histograms.
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

/// The same in nanoseconds.
static NANOS: [u64; BOUNDS.len()] = {
    let mut nanos = [0; BOUNDS.len()];
    let mut at = 0;
    while at < BOUNDS.len() {
        nanos[at] = BOUNDS[at].as_nanos() as u64;
        at += 1;
    }
    nanos
};

/// The counts of one route or upstream, by thread. The cells of a thread are created on first use, so that a
/// route without traffic costs almost nothing.
#[derive(Debug)]
pub(crate) struct Meter<C> {
    name: Box<str>,
    /// The name in the access log.
    logged_name: Escaped,
    /// One shard per thread, and a last one that all further threads share.
    shards: Box<[OnceLock<Box<C>>]>,
}

/// The cells of one thread.
pub(crate) struct Cells<'a, C> {
    cells: &'a C,
    /// Whether no other thread writes these cells.
    exclusive: bool,
}

impl<C: Default> Meter<C> {
    /// Creates a meter for this number of threads.
    pub(crate) fn new(name: impl Into<Box<str>>, threads: usize) -> Self {
        let shards = (0..=threads).map(|_| OnceLock::new()).collect();
        let name = name.into();
        Self { logged_name: Escaped::new(&name), name, shards }
    }

    /// Returns the value of the `route` or `upstream` label.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name as the access log has it.
    pub(crate) fn logged_name(&self) -> &Escaped {
        &self.logged_name
    }

    /// Returns the cells of the thread with these counters.
    #[inline]
    pub(crate) fn cells(&self, thread: &ThreadCounters) -> Option<Cells<'_, C>> {
        let last = self.shards.len().saturating_sub(1);
        let exclusive = thread.index < last;
        let shard = self.shards.get(if exclusive { thread.index } else { last })?;
        Some(Cells { cells: shard.get_or_init(Box::default), exclusive })
    }

    /// Returns the cells of all threads that used this meter.
    pub(super) fn used(&self) -> impl Iterator<Item = &C> {
        self.shards.iter().filter_map(OnceLock::get).map(|cells| &**cells)
    }

    pub(super) fn is_used(&self) -> bool {
        self.used().next().is_some()
    }

    /// Returns the sum over all threads.
    pub(super) fn sum(&self, of: impl Fn(&C) -> u64) -> u64 {
        self.used().fold(0, |sum, cells| sum.wrapping_add(of(cells)))
    }
}

impl<C> Cells<'_, C> {
    #[inline]
    fn add(&self, counter: Option<&Counter>, more: u64) {
        match counter {
            Some(counter) if self.exclusive => counter.add(more),
            Some(counter) => counter.add_shared(more),
            None => {}
        }
    }

    #[inline]
    fn observe(&self, histogram: &Histogram, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let at = NANOS.iter().position(|bound| nanos <= *bound).unwrap_or(NANOS.len());
        self.add(histogram.buckets.get(at), 1);
        self.add(Some(&histogram.nanos), nanos);
    }
}

/// A histogram of durations: the count of each bucket, and the sum.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    pub(super) buckets: [Counter; BOUNDS.len() + 1],
    pub(super) nanos: Counter,
}

impl Histogram {
    /// Returns whether no duration was recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.now() == 0)
    }
}

/// The class of a status, by its first digit. The absence of a response is a class too.
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

    /// Returns the class of a status. 0 means that there was no response.
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

/// The counts of a route, or of requests without one.
#[derive(Debug, Default)]
pub(crate) struct RouteCells {
    pub(super) requests: [Counter; Class::ALL.len()],
    pub(super) duration: Histogram,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
}

impl Cells<'_, RouteCells> {
    /// Records a completed request.
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
    /// The connection broke after the head of the response.
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

/// The counts of an upstream.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCells {
    pub(super) begun: Counter,
    pub(super) ended: Counter,
    pub(super) retries: Counter,
    pub(super) failures: [Counter; UpstreamFailure::ALL.len()],
    /// The time until the head of the response.
    pub(super) duration: Histogram,
}

impl Cells<'_, UpstreamCells> {
    /// Records that a request is being sent to the upstream.
    #[inline]
    pub(crate) fn begin(&self) {
        self.add(Some(&self.cells.begun), 1);
    }

    /// Records the end of the request. `took` is the time until the head of the response, if there was one.
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

    /// Records that the upstream failed a request.
    pub(crate) fn failed(&self, how: UpstreamFailure) {
        self.add(self.cells.failures.get(how as usize), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::thread_counters;

    #[test]
    fn threads_beyond_the_last_share_cells_and_lose_no_counts() {
        let meter: Meter<RouteCells> = Meter::new("r", 0);
        assert!(!meter.is_used());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        meter.cells(thread_counters()).unwrap().request(Class::Success, None, 1, 2);
                    }
                });
            }
        });
        let counted = |of: fn(&RouteCells) -> &Counter| meter.sum(|cells| of(cells).now());
        assert_eq!(counted(|cells| &cells.requests[Class::Success as usize]), 40_000);
        assert_eq!((counted(|cells| &cells.bytes_in), counted(|cells| &cells.bytes_out)), (40_000, 80_000));
    }

    #[test]
    fn an_upper_bound_is_inclusive() {
        let meter: Meter<UpstreamCells> = Meter::new("u", 1_000);
        let cells = meter.cells(thread_counters()).unwrap();
        for took in [Duration::ZERO, Duration::from_micros(500), Duration::from_nanos(500_001), Duration::MAX]
        {
            cells.end(Some(took), 0);
        }
        let buckets = |at: usize| meter.sum(|cells| cells.duration.buckets[at].now());
        assert_eq!((buckets(0), buckets(1), buckets(BOUNDS.len())), (2, 1, 1));
    }

    #[test]
    fn statuses_are_classified_by_their_first_digit() {
        for (status, class) in
            [(0, "none"), (101, "1xx"), (204, "2xx"), (304, "3xx"), (404, "4xx"), (504, "5xx"), (999, "5xx")]
        {
            assert_eq!(Class::of(status).as_str(), class);
        }
    }
}
