//! Decides which warnings about the use of secrets are due.

use std::collections::HashMap;
use std::time::Duration;

use super::messages;
use super::rotation::{RotationStatus, rotation_status};
use crate::gate::SeenSecret;

/// The shortest time between two lines about the same secret.
const REPEAT_AFTER: Duration = Duration::from_secs(3_600);

/// The warnings that were logged. There are as many entries as secrets.
#[derive(Default)]
pub(super) struct Watch {
    known: HashMap<(String, String), Noted>,
}

/// The counts of a secret when a line about it was last logged, or when there was last nothing to report.
#[derive(Clone, Copy, Default)]
struct Noted {
    count: u64,
    refused_count: u64,
    logged: Option<Duration>,
}

impl Watch {
    /// Starts with the present counts: earlier uses are not reported.
    pub(super) fn new(seen: &[SeenSecret]) -> Self {
        let noted = |secret: &SeenSecret| Noted {
            count: secret.usage.count,
            refused_count: secret.usage.refused_count,
            logged: None,
        };
        Self { known: seen.iter().map(|secret| (key(secret), noted(secret))).collect() }
    }

    /// Returns the lines to log now.
    pub(super) fn lines(&mut self, seen: &[SeenSecret], now: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        let mut known = HashMap::with_capacity(seen.len());
        // The secrets of a client are adjacent.
        for of_client in seen.chunk_by(|one, other| one.client_id == other.client_id) {
            for secret in of_client {
                let mut noted = self.known.get(&key(secret)).copied().unwrap_or_default();
                // A new secret with the same id has lower counts than those recorded.
                let used = secret.usage.count != noted.count;
                let refused = secret.usage.refused_count != noted.refused_count;
                let line = match rotation_status(secret, of_client, now) {
                    RotationStatus::Ending { end, successor } if used => {
                        messages::still_used_line(secret, end, successor, now)
                    }
                    RotationStatus::Expired { end } if refused => messages::refused_line(secret, end, now),
                    _ => None,
                };
                // The difference is absolute, because the wall clock may have been set back.
                let waits = noted.logged.is_some_and(|logged| now.abs_diff(logged) < REPEAT_AFTER);
                if line.is_none() || !waits {
                    noted.count = secret.usage.count;
                    noted.refused_count = secret.usage.refused_count;
                }
                if let Some(line) = line.filter(|_| !waits) {
                    noted.logged = Some(now);
                    lines.push(line);
                }
                known.insert(key(secret), noted);
            }
        }
        self.known = known;
        lines
    }
}

fn key(secret: &SeenSecret) -> (String, String) {
    (secret.client_id.clone(), secret.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::secret_usage::rotation::tests::secret;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn used(secret: &mut SeenSecret, now: u64) {
        secret.usage.count += 1;
        secret.usage.last_used = Some(at(now));
    }

    #[test]
    fn an_old_secret_is_reported_once_an_hour_while_it_is_used() {
        // Both are valid for 40,000 s. The last 10,000 s are near the end.
        let mut all = vec![secret("old", 0, Some(40_000)), secret("new", 0, None)];
        used(&mut all[0], 10);
        let mut watch = Watch::new(&all);
        assert!(watch.lines(&all, at(30_000)).is_empty(), "not used since the start");
        used(&mut all[0], 29_000);
        assert!(watch.lines(&all, at(29_000)).is_empty(), "the end is not near yet");
        assert!(watch.lines(&all, at(30_000)).is_empty(), "the use was before that");
        used(&mut all[0], 30_001);
        used(&mut all[1], 30_001);
        let lines = watch.lines(&all, at(30_002));
        assert_eq!(
            lines,
            [
                "shop: the secret \"old\" expires at 1970-01-01T11:06:40Z and is still used (last 1 second ago), \
                 although \"new\" replaces it"
            ]
        );
        used(&mut all[0], 30_010);
        assert!(watch.lines(&all, at(33_601)).is_empty());
        assert_eq!(watch.lines(&all, at(33_602)).len(), 1);
        assert!(watch.lines(&all, at(39_000)).is_empty(), "not used any more");
    }

    #[test]
    fn uses_of_an_expired_secret_are_reported_once_an_hour() {
        let mut all = vec![secret("old", 0, Some(100)), secret("new", 0, None)];
        let mut watch = Watch::new(&all);
        assert!(watch.lines(&all, at(200)).is_empty());
        for now in [200, 300, 4_000] {
            all[0].usage.refused_count += 1;
            all[0].usage.last_refused = Some(at(now));
            let lines = watch.lines(&all, at(now));
            assert_eq!(lines.len(), usize::from(now != 300), "{now}: {lines:?}");
        }
        assert!(watch.lines(&all, at(9_000)).is_empty());
        all.remove(0);
        watch.lines(&all, at(9_000));
        assert_eq!(watch.known.len(), 1, "removed secrets are forgotten");
    }

    #[test]
    fn secrets_of_other_clients_are_no_successors() {
        let mut all = vec![secret("old", 0, Some(100)), secret("new", 0, None)];
        all[1].client_id = "another".to_owned();
        let mut watch = Watch::new(&all);
        used(&mut all[0], 99);
        assert!(watch.lines(&all, at(99)).is_empty());
    }
}
