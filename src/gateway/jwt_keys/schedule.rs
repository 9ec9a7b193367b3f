//! Computes which key signs, which keys are published, and when the next key is made. This module reads no
//! clock: the time is an argument.

use std::time::Duration;

use crate::oauth::jose::SigningAlgorithm;

/// How long a retired key stays published after the last of its JWTs has expired, for upstreams whose clocks
/// are behind.
const LEEWAY: u64 = 60;

/// The times of a key, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) algorithm: SigningAlgorithm,
    /// When it begins to sign.
    pub(crate) signs_from: u64,
    /// The longest lifetime of its JWTs, in seconds.
    pub(crate) lifetime: u64,
}

/// The role of a key at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is published and will sign later.
    Next,
    /// It signs.
    Signing,
    /// It does not sign any more. It is published until this moment, because some of its JWTs may be valid.
    Retired { until: u64 },
    /// All of its JWTs have expired.
    Over,
}

/// How keys are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) rotate_every: Duration,
    pub(crate) publish_before: Duration,
    /// The longest lifetime of a JWT.
    pub(crate) lifetime: Duration,
}

/// Returns the role of each key. `keys` are in the order in which they sign.
pub(crate) fn roles(keys: &[Times], now: u64) -> Vec<Role> {
    // If the clock was set back to before the first key, that key signs.
    let signing = keys.iter().rposition(|key| key.signs_from <= now).unwrap_or(0);
    let role = |(index, key): (usize, &Times)| match keys.get(index + 1) {
        _ if index > signing => Role::Next,
        _ if index == signing => Role::Signing,
        Some(next) if next.signs_from + key.lifetime + LEEWAY > now => {
            Role::Retired { until: next.signs_from + key.lifetime + LEEWAY }
        }
        _ => Role::Over,
    };
    keys.iter().enumerate().map(role).collect()
}

impl Schedule {
    /// Returns when a new key would begin to sign, if it is time to make one.
    pub(crate) fn due(&self, keys: &[Times], now: u64) -> Option<u64> {
        // No upstream has cached a key set yet, so the first key signs at once.
        let Some(newest) = keys.last() else { return Some(now) };
        let earliest = now.saturating_add(self.publish_before.as_secs());
        if newest.signs_from > now {
            return None;
        }
        let end = newest.signs_from.saturating_add(self.rotate_every.as_secs());
        let other_algorithm = newest.algorithm != self.algorithm;
        if other_algorithm {
            return Some(earliest);
        }
        (earliest >= end).then(|| earliest.max(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn key(signs_from: u64) -> Times {
        Times { algorithm: SigningAlgorithm::Es256, signs_from, lifetime: 300 }
    }

    fn schedule() -> Schedule {
        Schedule {
            algorithm: SigningAlgorithm::Es256,
            rotate_every: Duration::from_secs(30 * DAY),
            publish_before: Duration::from_secs(3_600),
            lifetime: Duration::from_secs(300),
        }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after_it_has_signed() {
        let keys = [key(1_000), key(50_000)];
        assert_eq!(roles(&keys, 49_999), [Role::Signing, Role::Next]);
        assert_eq!(roles(&keys, 50_000), [Role::Retired { until: 50_360 }, Role::Signing]);
        assert_eq!(roles(&keys, 50_359), [Role::Retired { until: 50_360 }, Role::Signing]);
        assert_eq!(roles(&keys, 50_360), [Role::Over, Role::Signing]);
        assert_eq!(roles(&keys, 10), [Role::Signing, Role::Next], "the clock was set back");
        assert_eq!(roles(&[], 10), []);
    }

    #[test]
    fn a_key_is_made_in_time_and_only_once() {
        let schedule = schedule();
        assert_eq!(schedule.due(&[], 77), Some(77));
        let end = 30 * DAY;
        assert_eq!(schedule.due(&[key(0)], end - 3_601), None);
        assert_eq!(schedule.due(&[key(0)], end - 3_600), Some(end));
        assert_eq!(schedule.due(&[key(0), key(end)], end - 3_600), None, "one waits already");
        // The gateway was off when it was time.
        assert_eq!(schedule.due(&[key(0)], 2 * end), Some(2 * end + 3_600));
    }

    #[test]
    fn another_algorithm_is_a_rotation() {
        let schedule = Schedule { algorithm: SigningAlgorithm::EdDsa, ..schedule() };
        assert_eq!(schedule.due(&[key(0)], 10), Some(3_610));
        let new = Times { algorithm: SigningAlgorithm::EdDsa, ..key(3_610) };
        assert_eq!(schedule.due(&[key(0), new], 11), None);
        assert_eq!(schedule.due(&[key(0), new], 3_611), None);
    }
}
