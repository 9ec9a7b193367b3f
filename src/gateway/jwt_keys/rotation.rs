//! Changes of the keys over time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::file::{KeptKey, KeyFileError};
use super::schedule::{Role, Schedule, Times, roles};

/// How an operator replaces the signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replacement {
    /// The new key is published before it signs.
    Published,
    /// The new key signs at once.
    AtOnce,
    /// The new key signs at once, and all others are removed.
    Only,
}

/// Makes the first or the next key if it is due, removes keys whose JWTs have expired, and records a longer
/// lifetime of JWTs. Returns whether something has changed.
pub(crate) fn tend(keys: &mut Vec<KeptKey>, schedule: &Schedule, now: u64) -> Result<bool, KeyFileError> {
    let mut changed = false;
    let lifetime = schedule.lifetime.as_secs();
    let roles = roles_of(keys, now);
    for (key, role) in keys.iter_mut().zip(&roles) {
        if matches!(role, Role::Signing | Role::Next) && key.times.lifetime < lifetime {
            key.times.lifetime = lifetime;
            changed = true;
        }
    }
    let mut over = roles.iter().map(|role| *role == Role::Over);
    let before = keys.len();
    keys.retain(|_| !over.next().unwrap_or(false));
    changed |= keys.len() != before;
    if let Some(signs_from) = schedule.due(&times(keys), now) {
        keys.push(KeptKey::generate(schedule, now, signs_from)?);
        changed = true;
    }
    Ok(changed)
}

/// Returns the role of each key.
pub(crate) fn roles_of(keys: &[KeptKey], now: u64) -> Vec<Role> {
    roles(&times(keys), now)
}

fn times(keys: &[KeptKey]) -> Vec<Times> {
    keys.iter().map(|key| key.times).collect()
}

/// Returns the time in seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Replaces the signing key. If the next key is already published, and `how` does not say that it signs at
/// once, nothing changes and the result is `false`.
pub(crate) fn rotate(
    keys: &mut Vec<KeptKey>,
    schedule: &Schedule,
    how: Replacement,
    now: u64,
) -> Result<bool, KeyFileError> {
    let waiting = keys.last_mut().filter(|key| key.times.signs_from > now);
    match (how, waiting) {
        (Replacement::Published, Some(_)) => return Ok(false),
        (Replacement::AtOnce, Some(waiting)) => waiting.times.signs_from = now,
        (Replacement::Published, None) => {
            let signs_from = now.saturating_add(schedule.publish_before.as_secs());
            keys.push(KeptKey::generate(schedule, now, signs_from)?);
        }
        (Replacement::AtOnce, None) => keys.push(KeptKey::generate(schedule, now, now)?),
        // Somebody else may also have the key that is published but does not sign yet, so it is not used.
        (Replacement::Only, _) => *keys = vec![KeptKey::generate(schedule, now, now)?],
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oauth::jose::SigningAlgorithm;

    fn schedule() -> Schedule {
        Schedule {
            algorithm: SigningAlgorithm::EdDsa,
            rotate_every: Duration::from_secs(1_000),
            publish_before: Duration::from_secs(100),
            lifetime: Duration::from_secs(50),
        }
    }

    #[test]
    fn a_longer_lifetime_keeps_a_retired_key_longer() {
        let mut keys = Vec::new();
        tend(&mut keys, &schedule(), 0).unwrap();
        let longer = Schedule { lifetime: Duration::from_secs(500), ..schedule() };
        assert!(tend(&mut keys, &longer, 10).unwrap());
        // A shorter lifetime changes nothing, because JWTs with the longer lifetime are still valid.
        assert!(!tend(&mut keys, &schedule(), 20).unwrap());
        tend(&mut keys, &schedule(), 900).unwrap();
        assert_eq!(roles_of(&keys, 1_100), [Role::Retired { until: 1_560 }, Role::Signing]);
    }

    #[test]
    fn a_person_replaces_the_key_with_or_without_waiting() {
        let mut keys = Vec::new();
        tend(&mut keys, &schedule(), 0).unwrap();
        let mut rotate = |how, now| {
            let changed = super::rotate(&mut keys, &schedule(), how, now).unwrap();
            (changed, roles_of(&keys, now))
        };
        assert_eq!(rotate(Replacement::Published, 10), (true, vec![Role::Signing, Role::Next]));
        assert_eq!(rotate(Replacement::Published, 20), (false, vec![Role::Signing, Role::Next]));
        let retired = |until| Role::Retired { until };
        assert_eq!(rotate(Replacement::AtOnce, 30), (true, vec![retired(140), Role::Signing]));
        let again = rotate(Replacement::AtOnce, 40);
        assert_eq!(again, (true, vec![retired(140), retired(150), Role::Signing]));
        assert_eq!(rotate(Replacement::Only, 50), (true, vec![Role::Signing]));
    }
}
