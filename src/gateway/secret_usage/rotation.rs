//! Where a client secret is in its rotation.

use std::time::Duration;

use crate::gate::SeenSecret;

/// An expiry that is further away than this is not near.
const LONGEST_NOTICE: Duration = Duration::from_secs(7 * 86_400);

/// Where a client secret is in its rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RotationStatus<'a> {
    /// There is nothing to report.
    Good,
    /// The secret expires soon, and another secret replaces it. Programs that still use it should change to
    /// the other one.
    ///
    /// Soon means within the last quarter of the time in which both are valid, and at most within a week.
    Ending {
        /// When it expires, as time since the Unix epoch.
        end: Duration,
        /// The secret that replaces it.
        successor: &'a SeenSecret,
    },
    /// The secret has expired and is refused.
    Expired {
        /// When it expired, as time since the Unix epoch.
        end: Duration,
    },
}

/// Returns the status of `secret` among `all` secrets of its client, itself included.
pub(crate) fn rotation_status<'a>(
    secret: &SeenSecret,
    all: &'a [SeenSecret],
    now: Duration,
) -> RotationStatus<'a> {
    let Some(end) = secret.expires else { return RotationStatus::Good };
    if end <= now {
        return RotationStatus::Expired { end };
    }
    // A secret without an expiry outlives every other one.
    let outlives = |other: &SeenSecret| other.expires.is_none_or(|expires| expires > end);
    let last_to_expire = |other: &&SeenSecret| (other.expires.unwrap_or(Duration::MAX), other.usage.since);
    let Some(successor) = all.iter().filter(|other| outlives(other)).max_by_key(last_to_expire) else {
        return RotationStatus::Good;
    };
    let both_valid = end.saturating_sub(successor.usage.since.max(secret.usage.since));
    let notice = (both_valid / 4).min(LONGEST_NOTICE);
    if end.saturating_sub(now) <= notice {
        RotationStatus::Ending { end, successor }
    } else {
        RotationStatus::Good
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::gate::SecretUsage;

    const DAY: u64 = 86_400;

    /// Returns a secret that is known since one second and expires at another.
    pub(in crate::gateway::secret_usage) fn secret(id: &str, since: u64, expires: Option<u64>) -> SeenSecret {
        let usage = SecretUsage::counted_since(Duration::from_secs(since));
        let mut secret = SeenSecret::new("shop", id, id, usage);
        secret.expires = expires.map(Duration::from_secs);
        secret
    }

    fn of_first(all: &[SeenSecret], now: u64) -> &str {
        match rotation_status(&all[0], all, Duration::from_secs(now)) {
            RotationStatus::Good => "good",
            RotationStatus::Ending { successor, .. } => &successor.id,
            RotationStatus::Expired { .. } => "expired",
        }
    }

    #[test]
    fn the_last_quarter_of_the_overlap_is_soon() {
        // The secret is replaced at 1000 and stays valid for a day.
        let all = [secret("old", 0, Some(1000 + DAY)), secret("new", 1000, None)];
        let quarter = 1000 + DAY - DAY / 4;
        let table = [
            (1000, "good"),
            (quarter - 1, "good"),
            (quarter, "new"),
            (999 + DAY, "new"),
            (1000 + DAY, "expired"),
        ];
        for (now, expected) in table {
            assert_eq!(of_first(&all, now), expected, "{now}");
        }
    }

    #[test]
    fn a_longer_time_than_a_week_is_not_soon() {
        let all = [secret("old", 0, Some(400 * DAY)), secret("new", 300 * DAY, Some(700 * DAY))];
        assert_eq!(of_first(&all, 393 * DAY - 1), "good");
        assert_eq!(of_first(&all, 393 * DAY), "new");
    }

    #[test]
    fn a_secret_needs_a_successor_that_outlives_it() {
        let alone = [secret("only", 0, Some(100))];
        assert_eq!((of_first(&alone, 99), of_first(&alone, 100)), ("good", "expired"));
        let last = [secret("last", 0, Some(100)), secret("other", 0, Some(100)), secret("past", 0, Some(50))];
        assert_eq!(of_first(&last, 99), "good", "no other secret outlives it");
        let several = [
            secret("old", 0, Some(100)),
            secret("next", 0, Some(200)),
            secret("longest", 0, None),
            secret("mid", 0, Some(300)),
        ];
        assert_eq!(of_first(&several, 99), "longest");
        assert_eq!(of_first(&[secret("eternal", 0, None), secret("next", 0, None)], 99), "good");
    }
}
