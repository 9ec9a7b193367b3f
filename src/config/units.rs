//! Values with a unit: durations, sizes and rates.

use std::{fmt, num::NonZeroU32, time::Duration};

/// Why a text is not a duration, a size or a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitError {
    /// The text does not begin with a whole number.
    NotANumber,
    /// The text has no unit.
    NoUnit,
    /// The unit is unknown.
    UnknownUnit,
    /// The number is too large.
    TooLarge,
    /// A rate of 0.
    Zero,
}

/// A limit on how often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// The number of events in each period.
    pub events: NonZeroU32,
    /// The period.
    pub per: Duration,
    /// The number of events at once after a pause; as many as `events` unless the file says otherwise.
    pub burst: NonZeroU32,
}

impl fmt::Display for Rate {
    /// Writes the rate as in the file, `100/s`, and the burst if it is another number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per.as_secs() {
            1 => write!(f, "{}/s", self.events)?,
            60 => write!(f, "{}/m", self.events)?,
            3_600 => write!(f, "{}/h", self.events)?,
            _ => write!(f, "{} per {}", self.events, Shown(self.per))?,
        }
        if self.burst == self.events { Ok(()) } else { write!(f, " (burst {})", self.burst) }
    }
}

/// Parses `"250ms"`, `"299s"`, `"5m"`, `"1h"`, `"2d"`.
///
/// # Errors
/// Any text but one whole number followed by one of these units.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text)?;
    let seconds_in = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "" => return Err(UnitError::NoUnit),
        _ => return Err(UnitError::UnknownUnit),
    };
    number.checked_mul(seconds_in).map(Duration::from_secs).ok_or(UnitError::TooLarge)
}

/// Parses `"512B"`, `"16KiB"`, `"10MiB"`, `"1GiB"` and `"0"` into bytes.
///
/// # Errors
/// Any text but one whole number followed by one of these units. Only 0 needs none.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text)?;
    let bytes_in = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "" if number == 0 => 0,
        "" => return Err(UnitError::NoUnit),
        _ => return Err(UnitError::UnknownUnit),
    };
    number.checked_mul(bytes_in).ok_or(UnitError::TooLarge)
}

/// Parses `"100/s"`, `"10/m"`, `"1000/h"`. The burst is the same number.
///
/// # Errors
/// Any other text, and the number 0.
pub fn parse_rate(text: &str) -> Result<Rate, UnitError> {
    let (number, unit) = split(text)?;
    let per = match unit {
        "/s" => 1,
        "/m" => 60,
        "/h" => 3_600,
        "" => return Err(UnitError::NoUnit),
        _ => return Err(UnitError::UnknownUnit),
    };
    let events = u32::try_from(number).map_err(|_| UnitError::TooLarge)?;
    let events = NonZeroU32::new(events).ok_or(UnitError::Zero)?;
    Ok(Rate { events, per: Duration::from_secs(per), burst: events })
}

/// Splits a text into the whole number at its beginning and the rest.
fn split(text: &str) -> Result<(u64, &str), UnitError> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if digits.is_empty() {
        return Err(UnitError::NotANumber);
    }
    Ok((digits.parse().map_err(|_| UnitError::TooLarge)?, unit))
}

/// Writes a duration as in the file.
pub(crate) struct Shown(pub(crate) Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            _ if self.0.subsec_millis() != 0 => write!(f, "{}ms", self.0.as_millis()),
            0 => f.write_str("0s"),
            _ if seconds.is_multiple_of(86_400) => write!(f, "{}d", seconds / 86_400),
            _ if seconds.is_multiple_of(3_600) => write!(f, "{}h", seconds / 3_600),
            _ if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            _ => write!(f, "{seconds}s"),
        }
    }
}

/// Writes a size as in the file.
pub(crate) struct ShownSize(pub(crate) u64);

impl fmt::Display for ShownSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match bytes {
            0 => f.write_str("0"),
            _ if bytes.is_multiple_of(1 << 30) => write!(f, "{}GiB", bytes >> 30),
            _ if bytes.is_multiple_of(1 << 20) => write!(f, "{}MiB", bytes >> 20),
            _ if bytes.is_multiple_of(1 << 10) => write!(f, "{}KiB", bytes >> 10),
            _ => write!(f, "{bytes}B"),
        }
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "does not begin with a whole number",
            Self::NoUnit => "has no unit",
            Self::UnknownUnit => "has an unknown unit",
            Self::TooLarge => "is too large",
            Self::Zero => "would allow nothing",
        })
    }
}

impl std::error::Error for UnitError {}

/// Writes a number in groups of three digits: `1,234,567`.
#[cfg(feature = "gateway")]
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "gateway")]
    #[test]
    fn numbers_in_groups() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn durations() {
        let table = [
            ("250ms", Ok(Duration::from_millis(250))),
            ("299s", Ok(Duration::from_secs(299))),
            ("5m", Ok(Duration::from_secs(300))),
            ("1h", Ok(Duration::from_secs(3_600))),
            ("2d", Ok(Duration::from_secs(172_800))),
            ("0s", Ok(Duration::ZERO)),
            ("299", Err(UnitError::NoUnit)),
            ("5M", Err(UnitError::UnknownUnit)),
            ("5 m", Err(UnitError::UnknownUnit)),
            ("1h30m", Err(UnitError::UnknownUnit)),
            ("1.5s", Err(UnitError::UnknownUnit)),
            ("-1s", Err(UnitError::NotANumber)),
            ("s", Err(UnitError::NotANumber)),
            ("", Err(UnitError::NotANumber)),
            ("18446744073709551615d", Err(UnitError::TooLarge)),
            ("99999999999999999999s", Err(UnitError::TooLarge)),
        ];
        for (text, wanted) in table {
            assert_eq!(parse_duration(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("0", Ok(0)),
            ("512B", Ok(512)),
            ("16KiB", Ok(16_384)),
            ("10MiB", Ok(10_485_760)),
            ("1GiB", Ok(1 << 30)),
            ("16", Err(UnitError::NoUnit)),
            ("16KB", Err(UnitError::UnknownUnit)),
            ("16kib", Err(UnitError::UnknownUnit)),
            ("99999999999999GiB", Err(UnitError::TooLarge)),
        ];
        for (text, wanted) in table {
            assert_eq!(parse_size(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn rates() {
        let parsed = parse_rate("100/s").unwrap();
        assert_eq!((parsed.events.get(), parsed.per.as_secs(), parsed.burst.get()), (100, 1, 100));
        assert_eq!(parse_rate("10/m").unwrap().per.as_secs(), 60);
        let bad = [
            ("100", UnitError::NoUnit),
            ("0/s", UnitError::Zero),
            ("100/d", UnitError::UnknownUnit),
            ("5000000000/s", UnitError::TooLarge),
            ("/s", UnitError::NotANumber),
        ];
        for (text, error) in bad {
            assert_eq!(parse_rate(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn displayed_values_parse_to_the_same() {
        for millis in [250, 1_000, 299_000, 300_000, 3_600_000, 172_800_000, 0] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&Shown(duration).to_string()), Ok(duration));
        }
        for bytes in [0, 512, 16_384, 10 << 20, 1 << 30] {
            assert_eq!(parse_size(&ShownSize(bytes).to_string()), Ok(bytes));
        }
    }
}
