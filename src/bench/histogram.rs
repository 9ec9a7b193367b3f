//! A histogram of latencies. Its buckets are linear within each power of two, so that every value is exact to
//! 0.8 %.

use std::fmt;
use std::time::Duration;

/// The number of buckets in each power of two, as a power of two.
const STEP_BITS: u32 = 7;
const STEPS: usize = 1 << STEP_BITS;
/// The longest latency, more than an hour. Longer ones count as this one.
const LONGEST: u64 = (1 << 42) - 1;
const BUCKETS: usize = (42 - STEP_BITS as usize + 1) * STEPS;

/// Counts of latencies in nanoseconds. Its size does not depend on their number.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, sum: 0, max: 0 }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(LONGEST).min(LONGEST);
        if let Some(count) = self.counts.get_mut(bucket_of(nanos)) {
            *count += 1;
        }
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the longest latency, which is exact.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    pub(crate) fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// Returns the latency that this share (0 to 1) does not exceed, or zero if there are no latencies. It is
    /// never too small, and at most 0.8 % too large.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(highest_of(bucket).min(self.max));
            }
        }
        self.max()
    }
}

fn bucket_of(nanos: u64) -> usize {
    let shift = (63 - (nanos | 1).leading_zeros()).saturating_sub(STEP_BITS);
    shift as usize * STEPS + usize::try_from(nanos >> shift).unwrap_or(0)
}

/// Returns the largest value of a bucket.
fn highest_of(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    let lowest = ((bucket - shift * STEPS) as u64) << shift;
    lowest + (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_narrow_bucket() {
        for nanos in
            (0..100_000).chain((17..42).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 4711]))
        {
            let bucket = bucket_of(nanos);
            assert!(bucket < BUCKETS, "{nanos}");
            let highest = highest_of(bucket);
            assert!(highest >= nanos, "{nanos}: {highest}");
            assert!(highest - nanos <= nanos / 128, "{nanos}: {highest}");
            assert_eq!(bucket_of(highest), bucket, "{nanos}: {highest}");
            assert_eq!(bucket_of(highest + 1), bucket + 1, "{nanos}: {highest}");
        }
        assert_eq!(bucket_of(LONGEST), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_known_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.99), Duration::ZERO);
        assert_eq!(histogram.mean(), Duration::ZERO);
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, micros) in [
            (0.0, 1.0),
            (0.001, 1.0),
            (0.5, 500.0),
            (0.9, 900.0),
            (0.99, 990.0),
            (0.999, 999.0),
            (1.0, 1000.0),
        ] {
            let found = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!(found >= micros && found <= micros * 1.008, "{share}: {found} for {micros}");
        }
        assert_eq!(histogram.max(), Duration::from_millis(1));
        assert_eq!(histogram.quantile(1.0), Duration::from_millis(1), "not above the longest latency");
        assert_eq!(histogram.mean(), Duration::from_nanos(500_500));
        assert_eq!(histogram.count(), 1000);
    }

    #[test]
    fn one_slow_request_in_a_thousand_shows_in_its_percentile() {
        let mut histogram = Histogram::default();
        for _ in 0..999 {
            histogram.record(Duration::from_micros(100));
        }
        histogram.record(Duration::from_secs(1));
        assert!(histogram.quantile(0.999) < Duration::from_micros(101));
        assert_eq!(histogram.quantile(0.9999), Duration::from_secs(1));
    }

    #[test]
    fn added_histograms_count_as_one() {
        let (mut one, mut two, mut all) = (Histogram::default(), Histogram::default(), Histogram::default());
        for nanos in [0, 1, 255, 256, 257, 1_000_000, LONGEST, u64::MAX] {
            if nanos % 2 == 0 { &mut one } else { &mut two }.record(Duration::from_nanos(nanos));
            all.record(Duration::from_nanos(nanos));
        }
        one.add(&two);
        assert_eq!(one, all);
    }
}
