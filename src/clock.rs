//! The source of time: a monotonic clock for decisions, and a wall clock for dates.

#[cfg(target_os = "linux")]
#[path = "clock/boottime.rs"]
mod monotonic;
#[cfg(feature = "gateway")]
pub(crate) mod turn;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point on the monotonic clock, in milliseconds since the clock's origin.
///
/// ```
/// use std::time::Duration;
/// use tollgate::clock::Millis;
///
/// let issued = Millis::new(1_000);
/// assert_eq!(issued.after(Duration::from_secs(299)), Millis::new(300_000));
/// assert_eq!(Millis::new(1_250).since(issued), Duration::from_millis(250));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(u64);

impl Millis {
    /// Makes a point this many milliseconds after the clock's origin.
    #[must_use]
    pub const fn new(since_origin: u64) -> Self {
        Self(since_origin)
    }

    /// Returns the milliseconds since the clock's origin.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the point that is `span` later. It saturates instead of wrapping.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the time from `earlier` to this point. It is zero if `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The clock that a gate reads.
///
/// Lifetimes are measured on [`Clock::now`], so a step of the wall clock neither extends nor shortens a
/// token. [`Clock::unix_time`] appears in answers (`iat`, `exp`). It only decides about dates that come from
/// outside: the expiry of a secret, and the dates in a signed assertion or proof.
///
/// ```
/// use std::time::Duration;
/// use tollgate::clock::{Clock, Millis};
///
/// /// A clock for tests in which no time passes.
/// struct Stopped;
///
/// impl Clock for Stopped {
///     fn now(&self) -> Millis {
///         Millis::new(0)
///     }
///
///     fn unix_time(&self) -> Duration {
///         Duration::from_secs(1_800_000_000)
///     }
/// }
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the monotonic time, which never goes back.
    fn now(&self) -> Millis;

    /// Returns the wall-clock time since the Unix epoch.
    fn unix_time(&self) -> Duration;
}

/// The clocks of the operating system.
///
/// On Linux the monotonic clock is `CLOCK_BOOTTIME`, so that the time in which the machine is suspended
/// counts: a token ends when its lifetime is over, awake or not. It advances in steps of the kernel's tick,
/// of 1 to 10 ms, and two threads can differ by one step. On other systems it is that of
/// [`std::time::Instant`].
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: monotonic::Reading,
}

/// How long before its making the origin of a clock is: ten years, in milliseconds.
const BEFORE: u64 = 315_360_000_000;

impl SystemClock {
    /// Makes a clock whose origin is ten years ago, so that tokens from before a restart have a place on it.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: monotonic::read() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        Millis::new(BEFORE + monotonic::millis_since(self.origin))
    }

    fn unix_time(&self) -> Duration {
        // With a system clock before 1970 no date is right, so zero is as good as any.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

#[cfg(not(target_os = "linux"))]
mod monotonic {
    use std::time::Instant;

    pub(super) type Reading = Instant;

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the monotonic clock for the core"
    )]
    pub(super) fn read() -> Reading {
        Instant::now()
    }

    pub(super) fn millis_since(origin: Reading) -> u64 {
        u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that a test moves.
///
/// ```
/// use std::time::Duration;
/// use tollgate::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new(Duration::from_secs(1_800_000_000));
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now().as_u64(), 5_000);
/// assert_eq!(clock.unix_time(), Duration::from_secs(1_800_000_005));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_clock_at_origin: Duration,
    millis: AtomicU64,
}

impl ManualClock {
    /// Makes a clock at its origin, where the wall clock shows `unix_time`.
    #[must_use]
    pub fn new(unix_time: Duration) -> Self {
        Self { wall_clock_at_origin: unix_time, millis: AtomicU64::new(0) }
    }

    /// Advances both clocks, by whole milliseconds.
    pub fn advance(&self, span: Duration) {
        self.millis.fetch_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis::new(self.millis.load(Ordering::Relaxed))
    }

    fn unix_time(&self) -> Duration {
        self.wall_clock_at_origin + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}
