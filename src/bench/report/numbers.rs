//! Formats numbers for people.

use std::time::Duration;

use crate::config::grouped;

/// Formats a rate, rounded to a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a rate is not negative"
)]
pub(crate) fn rate(per_second: f64) -> String {
    grouped(per_second.round() as u64)
}

/// Formats a time with three digits and a unit: `845 µs`, `1.23 ms`, `12.3 s`.
pub(super) fn time(span: Duration) -> String {
    let micros = span.as_secs_f64() * 1e6;
    // A value that three digits would round up to four gets the next unit.
    match micros {
        _ if micros < 999.5 => format!("{} µs", three_digits(micros)),
        _ if micros < 999_500.0 => format!("{} ms", three_digits(micros / 1e3)),
        _ => format!("{} s", three_digits(micros / 1e6)),
    }
}

/// Formats microseconds of processor time.
pub(super) fn micros(micros: f64) -> String {
    format!("{} µs", three_digits(micros))
}

pub(super) fn three_digits(number: f64) -> String {
    match number {
        _ if number == 0.0 => "0".to_owned(),
        _ if number < 9.995 => format!("{number:.2}"),
        _ if number < 99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Returns microseconds with one decimal, as in the JSON output.
pub(super) fn to_micros(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e7).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(rate(12_345.6), "12,346");
        for (nanos, text) in [
            (0, "0 µs"),
            (90, "0.09 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (845_000, "845 µs"),
            (999_600, "1.00 ms"),
            (12_340_000, "12.3 ms"),
            (999_400_000, "999 ms"),
            (999_600_000, "1.00 s"),
            (75_000_000_000, "75.0 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanos)), text, "{nanos}");
        }
    }
}
