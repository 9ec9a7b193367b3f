//! Counts of requests that would have passed or been refused.

use std::time::Duration;

use super::refusal::Refusal;

use crate::sorting::sort_by_key;

/// The number of days over which a share is computed.
pub(super) const DAYS: usize = 7;
const DAY: u64 = 86_400;

/// The requests of one caller on one route. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) passed: u64,
    /// By [`Refusal`].
    pub(super) refused: [u64; Refusal::ALL.len()],
    pub(super) first_seen: u64,
    /// 0 for never.
    pub(super) last_passed: u64,
    /// 0 for never.
    pub(super) last_refused: u64,
    /// Whether the last request would have been refused.
    pub(super) refused_last: bool,
}

impl Counts {
    /// Counts a request.
    pub(super) fn add(&mut self, refused: Option<Refusal>, now: Duration) {
        let now = now.as_secs();
        if self.first_seen == 0 {
            self.first_seen = now;
        }
        self.refused_last = refused.is_some();
        match refused {
            None => (self.passed, self.last_passed) = (self.passed.saturating_add(1), now),
            Some(refusal) => {
                if let Some(count) = self.refused.get_mut(refusal as usize) {
                    *count = count.saturating_add(1);
                }
                self.last_refused = now;
            }
        }
    }

    /// Adds the requests that another process has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        let last = |counts: &Self| counts.last_passed.max(counts.last_refused);
        if last(other) >= last(self) {
            self.refused_last = other.refused_last;
        }
        self.passed = self.passed.saturating_add(other.passed);
        for (count, more) in self.refused.iter_mut().zip(other.refused) {
            *count = count.saturating_add(more);
        }
        self.first_seen = earlier(self.first_seen, other.first_seen);
        self.last_passed = self.last_passed.max(other.last_passed);
        self.last_refused = self.last_refused.max(other.last_refused);
    }

    /// Returns the number of requests that would have been refused.
    #[cfg(test)]
    pub(super) fn refused_in_all(&self) -> u64 {
        self.refused.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns whether there was a request that would have been refused within the last days.
    pub(super) fn was_refused_lately(&self, now: Duration) -> bool {
        self.last_refused.saturating_add(DAY * DAYS as u64) > now.as_secs()
    }
}

/// Returns the earlier of two times, of which 0 is none.
pub(super) fn earlier(one: u64, other: u64) -> u64 {
    match (one, other) {
        (0, time) | (time, 0) => time,
        (one, other) => one.min(other),
    }
}

/// The requests of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Day {
    /// The number of the day since 1970.
    pub(super) day: u64,
    pub(super) passed: u64,
    pub(super) refused: u64,
}

/// The requests of the last days, the newest last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Week(pub(super) Vec<Day>);

impl Week {
    /// Counts a request.
    pub(super) fn add(&mut self, refused: bool, now: Duration) {
        let day = now.as_secs() / DAY;
        if self.0.last().is_none_or(|last| last.day < day) {
            self.0.push(Day { day, ..Day::default() });
            let surplus = self.0.len().saturating_sub(DAYS);
            self.0.drain(..surplus);
        }
        // If the clock was set back, the request is counted on the newest day.
        if let Some(last) = self.0.last_mut() {
            let count = if refused { &mut last.refused } else { &mut last.passed };
            *count = count.saturating_add(1);
        }
    }

    /// Adds the requests that another process has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for more in &other.0 {
            match self.0.iter_mut().find(|day| day.day == more.day) {
                None => self.0.push(*more),
                Some(day) => {
                    day.passed = day.passed.saturating_add(more.passed);
                    day.refused = day.refused.saturating_add(more.refused);
                }
            }
        }
        sort_by_key(&mut self.0, |day| day.day);
        let surplus = self.0.len().saturating_sub(DAYS);
        self.0.drain(..surplus);
    }

    /// Returns how many requests of the last days would have passed and been refused.
    pub(super) fn sums(&self, now: Duration) -> (u64, u64) {
        let today = now.as_secs() / DAY;
        let recent = self.0.iter().filter(|day| day.day.saturating_add(DAYS as u64) > today);
        recent.fold((0, 0), |(passed, refused), day| (passed + day.passed, refused + day.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u64) -> Duration {
        Duration::from_secs(day * DAY + 5)
    }

    #[test]
    fn a_week_forgets_what_is_older() {
        let mut week = Week::default();
        for at in 100..110 {
            week.add(at % 2 == 0, day(at));
        }
        assert_eq!(week.0.len(), DAYS);
        assert_eq!(week.sums(day(109)), (4, 3));
        assert_eq!(week.sums(day(112)), (2, 2));
        assert_eq!(week.sums(day(200)), (0, 0));
        week.add(false, day(50));
        assert_eq!(week.sums(day(109)), (5, 3), "the clock was set back");
    }

    #[test]
    fn the_last_request_decides_whether_a_caller_is_ready() {
        let mut counts = Counts::default();
        counts.add(Some(Refusal::MissingScope), day(1));
        assert!(counts.refused_last && counts.was_refused_lately(day(7)));
        counts.add(None, day(2));
        assert!(!counts.refused_last);
        assert_eq!((counts.first_seen, counts.last_refused), (day(1).as_secs(), day(1).as_secs()));
        assert!(!counts.was_refused_lately(day(8) + Duration::from_secs(1)));
        assert_eq!((counts.passed, counts.refused_in_all()), (1, 1));
    }
}
