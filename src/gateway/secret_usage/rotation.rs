//! How a secret stands among the others of its client.

use std::time::Duration;

use crate::gate::SeenSecret;

/// No end is near that is further away than this.
const LONGEST_NOTICE: Duration = Duration::from_secs(7 * 86_400);

/// How a secret stands among the others of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RotationStatus<'a> {
    /// There is nothing to say.
    Good,
    /// Another secret is there to take its place, and its end is near: who still uses it should hurry.
    ///
    /// Near is the last quarter of the time in which both are good, and never more than the last week.
    Ending {
        /// When it ends, as time since the Unix epoch.
        end: Duration,
        /// The other.
        successor: &'a SeenSecret,
    },
    /// It is refused by now.
    Expired {
        /// Since when, as time since the Unix epoch.
        end: Duration,
    },
}

/// How `secret` stands among `all` secrets of its client, itself included.
pub(crate) fn standing<'a>(secret: &SeenSecret, all: &'a [SeenSecret], now: Duration) -> RotationStatus<'a> {
    let Some(end) = secret.expires else { return RotationStatus::Good };
    if end <= now {
        return RotationStatus::Expired { end };
    }
    // `None` is never, which is later than any time.
    let lives_on = |other: &SeenSecret| other.expires.is_none_or(|expires| expires > end);
    let last_to_end = |other: &&SeenSecret| (other.expires.unwrap_or(Duration::MAX), other.usage.since);
    let Some(successor) = all.iter().filter(|other| lives_on(other)).max_by_key(last_to_end) else {
        return RotationStatus::Good;
    };
    let both_good = end.saturating_sub(successor.usage.since.max(secret.usage.since));
    let notice = (both_good / 4).min(LONGEST_NOTICE);
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

    /// A secret that is there since a second and ends at another.
    pub(in crate::gateway::secret_usage) fn secret(id: &str, since: u64, expires: Option<u64>) -> SeenSecret {
        let usage = SecretUsage::counted_since(Duration::from_secs(since));
        let mut secret = SeenSecret::new("shop", id, id, usage);
        secret.expires = expires.map(Duration::from_secs);
        secret
    }

    fn of_first(all: &[SeenSecret], now: u64) -> &str {
        match standing(&all[0], all, Duration::from_secs(now)) {
            RotationStatus::Good => "good",
            RotationStatus::Ending { successor, .. } => &successor.id,
            RotationStatus::Expired { .. } => "expired",
        }
    }

    #[test]
    fn the_last_quarter_of_the_overlap_is_near_the_end() {
        // Rotated at 1000, with a day for the change.
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
    fn and_never_more_than_a_week() {
        let all = [secret("old", 0, Some(400 * DAY)), secret("new", 300 * DAY, Some(700 * DAY))];
        assert_eq!(of_first(&all, 393 * DAY - 1), "good");
        assert_eq!(of_first(&all, 393 * DAY), "new");
    }

    #[test]
    fn only_what_is_outlived_is_old() {
        let alone = [secret("only", 0, Some(100))];
        assert_eq!((of_first(&alone, 99), of_first(&alone, 100)), ("good", "expired"));
        let last = [secret("last", 0, Some(100)), secret("other", 0, Some(100)), secret("past", 0, Some(50))];
        assert_eq!(of_first(&last, 99), "good", "no other lives on");
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
