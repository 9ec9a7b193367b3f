//! The messages about secrets, in the log and in listings.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::grouped;
use crate::gate::{SecretUsage, SeenSecret};
use crate::utc;

/// Describes the use of a secret: `last used 3 minutes ago from 10.0.0.7, 1,204 times`.
pub(crate) fn usage_text(usage: &SecretUsage, now: Duration) -> String {
    match usage.last_used {
        None => format!("never used (since {})", date(usage.since)),
        Some(last) => format!("last used {}, {}", when(last, usage.last_address, now), times(usage.count)),
    }
}

/// Warns that a secret has expired.
pub(crate) fn expired_line(secret: &SeenSecret, end: Duration) -> String {
    format!(
        "{}: the secret {:?} expired at {} and is still in the file: remove it",
        secret.client_id,
        secret.id,
        date(end)
    )
}

/// Warns that a secret was used after it expired. Returns `None` if it was not.
pub(crate) fn refused_line(secret: &SeenSecret, end: Duration, now: Duration) -> Option<String> {
    let usage = &secret.usage;
    let last = usage.last_refused?;
    Some(format!(
        "{}: the secret {:?} was refused {} after it expired at {}, last {}",
        secret.client_id,
        secret.id,
        times(usage.refused_count),
        date(end),
        when(last, usage.last_refused_address, now),
    ))
}

/// Warns that a secret is used although another one replaces it. Returns `None` if it was not used since
/// then.
pub(crate) fn still_used_line(
    secret: &SeenSecret,
    end: Duration,
    successor: &SeenSecret,
    now: Duration,
) -> Option<String> {
    let last = secret.usage.last_used.filter(|last| *last >= successor.usage.since)?;
    Some(format!(
        "{}: the secret {:?} expires at {} and is still used (last {}), although {:?} replaces it",
        secret.client_id,
        secret.id,
        date(end),
        when(last, secret.usage.last_address, now),
        successor.id,
    ))
}

fn date(moment: Duration) -> String {
    utc::from_unix(moment.as_secs()).to_string()
}

fn when(moment: Duration, address: Option<IpAddr>, now: Duration) -> String {
    let ago = ago(now.saturating_sub(moment));
    address.map_or_else(|| ago.clone(), |address| format!("{ago} from {address}"))
}

fn ago(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = span.as_secs();
    match UNITS.into_iter().find(|(unit, _)| seconds >= *unit) {
        None => "just now".to_owned(),
        Some((unit, name)) => {
            let count = seconds / unit;
            format!("{} {name}{} ago", grouped(count), if count == 1 { "" } else { "s" })
        }
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_for_people() {
        let mut usage = SecretUsage::counted_since(Duration::from_secs(0));
        let now = Duration::from_secs(1_000_000);
        assert_eq!(usage_text(&usage, now), "never used (since 1970-01-01T00:00:00Z)");
        usage.last_used = Some(Duration::from_secs(1_000_000 - 185));
        usage.last_address = "10.0.0.7".parse().ok();
        usage.count = 1204;
        assert_eq!(usage_text(&usage, now), "last used 3 minutes ago from 10.0.0.7, 1,204 times");
        usage.count = 1;
        usage.last_address = None;
        usage.last_used = Some(now + Duration::from_secs(60));
        assert_eq!(usage_text(&usage, now), "last used just now, once", "the clock was set back");
        for (seconds, text) in
            [(1, "1 second"), (59, "59 seconds"), (7_199, "1 hour"), (86_400 * 1_234_567, "1,234,567 days")]
        {
            assert_eq!(ago(Duration::from_secs(seconds)), format!("{text} ago"));
        }
    }
}
