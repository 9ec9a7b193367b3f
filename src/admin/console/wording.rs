//! Formats times, counts and addresses for pages.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::utc;

/// Describes how far a moment is in the past or in the future.
pub(super) fn relative(moment: SystemTime, now: SystemTime) -> String {
    match now.duration_since(moment) {
        Ok(past) if past < Duration::from_secs(5) => "just now".to_owned(),
        Ok(past) => format!("{} ago", rough(past)),
        Err(ahead) => format!("in {}", rough(ahead.duration())),
    }
}

/// Describes a duration by its largest unit.
pub(super) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    count(number, unit)
}

/// Formats a number with its noun: `1 client`, `3 clients`.
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", crate::config::grouped(number))
}

/// Formats a moment as date and time of day.
pub(super) fn moment(moment: SystemTime) -> String {
    utc::at(moment).to_string().chars().take(19).collect::<String>().replace('T', " ") + " UTC"
}

/// Formats the remaining time, as `4:12`.
pub(super) fn left(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds / 3_600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// Returns the moment that is this many seconds after the beginning of 1970.
pub(super) fn since_1970(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

/// Returns the seconds of a moment since 1970.
pub(super) fn unix(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Formats a duration of a request: `1.8 ms`, `2.5 s`.
pub(super) fn latency(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        Some(seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

/// Joins two figures: `1.8 ms · 2.5 ms`, or one dash if neither is known.
pub(super) fn pair(first: String, second: String) -> String {
    if first == second && first == "–" { first } else { format!("{first} · {second}") }
}

/// Formats the title of a problem as a heading: `Not Found` becomes `Not found`. Abbreviations stay.
pub(super) fn heading(title: &str) -> String {
    let word = |(at, word): (usize, &str)| {
        let is_abbreviation = word.len() > 1 && word.chars().all(char::is_uppercase);
        if at == 0 || is_abbreviation { word.to_owned() } else { word.to_lowercase() }
    };
    title.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

/// Formats a message as a sentence.
pub(super) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// Formats requests per second.
pub(super) fn per_second(requests: u64, over: Duration) -> String {
    let rate = number(requests) / over.as_secs_f64().max(1.0);
    if rate == 0.0 || rate >= 10.0 {
        crate::config::grouped(rate.round() as u64)
    } else {
        format!("{rate:.1}")
    }
}

/// Formats a share: `2.3 %`.
pub(super) fn percent(part: u64, all: u64) -> String {
    match (part, all) {
        (_, 0) => "–".to_owned(),
        (0, _) => "0 %".to_owned(),
        _ if part == all => "100 %".to_owned(),
        // A share is never rounded to none or to all.
        _ => format!("{:.1} %", (number(part) / number(all) * 100.0).clamp(0.1, 99.9)),
    }
}

#[expect(clippy::cast_precision_loss)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// Encodes a text as one segment of a path, or as a value of a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => encoded.push(byte.into()),
            // A dot is preserved unless the segment is one that browsers resolve.
            b'.' if text.bytes().any(|byte| byte != b'.') => encoded.push('.'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Formats a name for scripts as words: `rolled_back` becomes `rolled back`.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_described_by_their_largest_unit() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000_000);
        let ago = |seconds| relative(now - Duration::from_secs(seconds), now);
        assert_eq!(ago(2), "just now");
        assert_eq!(ago(59), "59 seconds ago");
        assert_eq!(ago(61), "1 minute ago");
        assert_eq!(ago(47 * 3_600), "47 hours ago");
        assert_eq!(ago(49 * 3_600), "2 days ago");
        assert_eq!(relative(now + Duration::from_secs(3 * 86_400), now), "in 3 days");
        assert_eq!(left(Duration::from_secs(252)), "4:12");
        assert_eq!(left(Duration::from_secs(3_725)), "1:02:05");
        assert_eq!(moment(UNIX_EPOCH), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn shares_are_never_rounded_to_none_or_all() {
        assert_eq!(percent(1, 1_000_000), "0.1 %");
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
        assert_eq!((percent(0, 5), percent(5, 5), percent(0, 0)), ("0 %".into(), "100 %".into(), "–".into()));
    }

    #[test]
    fn segments_are_encoded() {
        assert_eq!(encode("server"), "server");
        assert_eq!(encode("a/b c?d&e#f"), "a%2Fb%20c%3Fd%26e%23f");
        assert_eq!((encode(".."), encode("a.b")), ("%2E%2E".into(), "a.b".into()));
    }
}
