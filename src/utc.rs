//! Calendar dates from seconds since 1970, for the `Date` field, for certificates and for the command line.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment in UTC. Displays as an IMF-fixdate (RFC 9110 §5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc {
    seconds: u64,
}

impl Utc {
    pub(crate) fn from_unix(seconds: u64) -> Self {
        Self { seconds }
    }

    /// The wall clock; a clock before 1970 counts as 1970.
    pub(crate) fn now() -> Self {
        Self::at(SystemTime::now())
    }

    /// A moment of the wall clock, cut to the second; one before 1970 counts as 1970.
    pub(crate) fn at(moment: SystemTime) -> Self {
        Self::from_unix(moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    pub(crate) fn plus_days(self, days: u64) -> Self {
        Self::from_unix(self.seconds.saturating_add(days.saturating_mul(86_400)))
    }

    pub(crate) fn minus_days(self, days: u64) -> Self {
        Self::from_unix(self.seconds.saturating_sub(days.saturating_mul(86_400)))
    }

    pub(crate) fn unix(self) -> u64 {
        self.seconds
    }

    /// Year, month (1 to 12) and day (1 to 31) of the proleptic Gregorian calendar.
    pub(crate) fn year_month_day(self) -> (i32, u8, u8) {
        // Years are counted from March, so that the leap day is the last of its year; eras are 400 years.
        let days = self.seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        (i32::try_from(year).unwrap_or(i32::MAX), month as u8, day as u8)
    }

    /// As `2026-11-23`.
    pub(crate) fn date(self) -> String {
        let (year, month, day) = self.year_month_day();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// As `2026-11-23T08:30:00Z` (RFC 3339).
    pub(crate) fn rfc3339(self) -> String {
        let (hour, minute, second) = self.time_of_day();
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.date())
    }

    fn time_of_day(self) -> (u64, u64, u64) {
        let of_day = self.seconds % 86_400;
        (of_day / 3_600, of_day / 60 % 60, of_day % 60)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.year_month_day();
        let weekday = WEEKDAYS[(self.seconds / 86_400 % 7) as usize];
        let month = MONTHS[usize::from(month - 1) % 12];
        let (hour, minute, second) = self.time_of_day();
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        // RFC 9110 §5.6.7's own example.
        assert_eq!(Utc::from_unix(784_111_777).to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Utc::from_unix(784_111_777).rfc3339(), "1994-11-06T08:49:37Z");
        assert_eq!(Utc::from_unix(0).to_string(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(Utc::from_unix(951_782_400).to_string(), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(Utc::from_unix(4_107_542_399).to_string(), "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(Utc::from_unix(4_107_542_400).to_string(), "Mon, 01 Mar 2100 00:00:00 GMT");
    }
}
