//! Fetches the key sets of clients that publish them (`jwks_uri`), independently of requests.
//!
//! One thread has a runtime of its own. It fetches a set at once and again every five minutes. A signature by
//! an unknown key causes an earlier fetch, at most once a minute, so that strangers cannot cause many
//! fetches. After a failure the last good copy stays in use, and the waits between attempts grow.

mod fetch;
mod schedule;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::fetch::FetchError;
use self::schedule::Schedule;
use crate::clock::Millis;
use crate::gate::{Gate, RemoteKeys, WeakGate};
use crate::http_client::HttpClient;
use crate::oauth::jose::Jwks;
use crate::tasks::{block_on, runtime};
use crate::threads;

/// How many fetches may run at a time.
const MAX_FETCHES: usize = 16;
/// The longest wait before the thread looks again whether the gate still exists.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The shortest wait.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

impl Gate {
    /// Starts the thread that fetches [`Gate::remote_keys`]. It ends with the gate.
    ///
    /// # Errors
    /// Fails if the thread cannot be created, or TLS cannot be set up.
    pub fn fetch_keys(&self) -> io::Result<()> {
        let client = fetch::client().map_err(io::Error::other)?;
        let runtime = runtime()?;
        let gate = self.downgrade();
        threads::spawn("tollgate-keys", move || block_on(&runtime, keep_fetched(gate, client)))?;
        Ok(())
    }
}

type Fetched = (Arc<RemoteKeys>, Result<Jwks, FetchError>);

async fn keep_fetched(gate: WeakGate, client: HttpClient) {
    let mut watched: Vec<Watched> = Vec::new();
    let mut fetches: JoinSet<Fetched> = JoinSet::new();
    loop {
        let Some(gate) = gate.upgrade() else { return };
        let now = gate.clock().now();
        watched = reconcile(watched, gate.remote_keys(), now);
        for set in &mut watched {
            if fetches.len() < MAX_FETCHES && set.schedule.is_due(now, set.keys.is_wanted()) {
                let on_demand = set.keys.take_wanted();
                set.schedule.begin(now, on_demand);
                let (keys, client) = (Arc::clone(&set.keys), client.clone());
                fetches.spawn(async move {
                    let fetched = fetch::fetch(keys.uri(), &client).await;
                    (keys, fetched)
                });
            }
        }
        let waits = watched.iter().filter_map(|set| set.schedule.wait(now, set.keys.is_wanted()));
        let wait = waits.min().unwrap_or(LONGEST_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT);
        let call = gate.keys_called_for();
        drop(gate);
        tokio::select! {
            () = call => {}
            () = tokio::time::sleep(wait) => {}
            Some(Ok((keys, fetched))) = fetches.join_next() => {
                let known = watched.iter_mut().find(|set| Arc::ptr_eq(&set.keys, &keys));
                finish(&keys, fetched, known);
            }
        }
    }
}

/// A key set, and the schedule of its fetches.
struct Watched {
    keys: Arc<RemoteKeys>,
    schedule: Schedule,
}

/// Keeps the schedules of sets that stay, and starts those of new ones.
fn reconcile(mut watched: Vec<Watched>, sets: Vec<Arc<RemoteKeys>>, now: Millis) -> Vec<Watched> {
    sets.into_iter()
        .map(|keys| match watched.iter().position(|set| Arc::ptr_eq(&set.keys, &keys)) {
            Some(index) => watched.swap_remove(index),
            None => Watched { keys, schedule: Schedule::new(now) },
        })
        .collect()
}

fn finish(keys: &RemoteKeys, fetched: Result<Jwks, FetchError>, known: Option<&mut Watched>) {
    let failures = known.as_ref().map_or(0, |set| set.schedule.failures);
    if let Some(set) = known {
        let mut random = [0; 2];
        // Without random bytes there is no jitter. Fetches work the same otherwise.
        let _ = getrandom::fill(&mut random);
        set.schedule.end(fetched.is_ok(), u16::from_ne_bytes(random));
    }
    match fetched {
        Ok(fetched) => {
            for ignored in fetched.ignored() {
                log::debug!("{}: key {} is not used: {}", keys.uri(), ignored.index, ignored.reason);
            }
            if failures > 0 {
                log::info!("{}: the keys can be fetched again", keys.uri());
            }
            keys.replace(fetched);
        }
        // The failure is logged once for each outage.
        Err(error) if failures == 0 => {
            log::warn!(
                "{}: the keys cannot be fetched, and the last good ones stay in use: {error}",
                keys.uri()
            );
        }
        Err(error) => log::debug!("{}: {error}", keys.uri()),
    }
}

#[cfg(test)]
mod tests;
