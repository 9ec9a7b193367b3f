//! The points of a series, in three resolutions.

use std::collections::VecDeque;
use std::time::Duration;

/// The counts of one interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) passed: u32,
    pub(crate) refused: u32,
    pub(crate) limited: u32,
    pub(crate) failed: u32,
}

impl Point {
    /// Returns the number of all requests in the interval.
    pub(crate) fn all(&self) -> u64 {
        [self.passed, self.refused, self.limited, self.failed].into_iter().map(u64::from).sum()
    }

    fn add(&mut self, more: &Self) {
        self.passed = self.passed.saturating_add(more.passed);
        self.refused = self.refused.saturating_add(more.refused);
        self.limited = self.limited.saturating_add(more.limited);
        self.failed = self.failed.saturating_add(more.failed);
    }
}

/// The time span of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Minutes,
    Hour,
    Day,
}

impl Span {
    /// All spans.
    pub(crate) const ALL: [Self; 3] = [Self::Minutes, Self::Hour, Self::Day];

    /// Returns the number of points.
    pub(crate) fn points(self) -> usize {
        match self {
            Self::Minutes => 300,
            Self::Hour => 360,
            Self::Day => 288,
        }
    }

    /// Returns the time between two points.
    pub(crate) fn step(self) -> Duration {
        match self {
            Self::Minutes => Duration::from_secs(1),
            Self::Hour => Duration::from_secs(10),
            Self::Day => Duration::from_secs(300),
        }
    }

    /// Returns the name that addresses use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// One resolution.
#[derive(Debug, Default)]
struct Ring {
    points: VecDeque<Point>,
    /// The point that is still incomplete, and the seconds that it covers so far.
    open: Point,
    seconds: u64,
}

impl Ring {
    fn push(&mut self, span: Span, point: &Point) {
        self.open.add(point);
        self.seconds += 1;
        if self.seconds < span.step().as_secs() {
            return;
        }
        if self.points.len() == span.points() {
            self.points.pop_front();
        }
        self.points.push_back(std::mem::take(&mut self.open));
        self.seconds = 0;
    }
}

/// A series in all resolutions.
#[derive(Debug, Default)]
pub(super) struct Rings([Ring; Span::ALL.len()]);

impl Rings {
    /// Adds the counts of one second.
    pub(super) fn push(&mut self, point: &Point) {
        for (ring, span) in self.0.iter_mut().zip(Span::ALL) {
            ring.push(span, point);
        }
    }

    /// Returns the points of a span, oldest first. Points that are not known yet are zero.
    pub(super) fn points(&self, span: Span) -> Vec<Point> {
        let ring = self.0.iter().zip(Span::ALL).find(|(_, of)| *of == span).map(|(ring, _)| ring);
        let known = ring.map_or(0, |ring| ring.points.len());
        let missing = span.points().saturating_sub(known);
        let points = ring.into_iter().flat_map(|ring| ring.points.iter().copied());
        std::iter::repeat_n(Point::default(), missing).chain(points).collect()
    }

    /// Returns the requests of the last complete minute.
    pub(super) fn last_minute(&self) -> u64 {
        let points = self.0.first().map(|ring| ring.points.iter().rev().take(60).map(Point::all).sum());
        points.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_summed_into_the_coarser_resolutions() {
        let mut rings = Rings::default();
        for second in 0..700 {
            rings.push(&Point { passed: second, ..Point::default() });
        }
        let minutes = rings.points(Span::Minutes);
        assert_eq!((minutes.len(), minutes[0].passed, minutes[299].passed), (300, 400, 699));
        let hour = rings.points(Span::Hour);
        assert_eq!((hour.len(), hour[359].passed), (360, (690..700).sum()));
        assert_eq!(hour[289], Point::default(), "not known yet");
        let day = rings.points(Span::Day);
        assert_eq!(day[286].passed + day[287].passed, (0..600).sum::<u32>(), "two complete points");
        assert_eq!(rings.last_minute(), (640..700).sum::<u64>());
    }
}
