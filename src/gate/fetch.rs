//! Fetching the key sets of clients that publish them (`jwks_uri`), off the request path.
//!
//! One thread with a runtime of its own. A set is fetched at once, again every five minutes, and sooner when a signature
//! comes that no known key explains, at most once a minute: that bound is what strangers can make us fetch. After a
//! failure the last good copy stays, and the next try comes soon and then ever later.

mod get;

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::keys::RemoteKeys;
use super::{Gate, Inner};
use crate::clock::Millis;
use crate::oauth::jose::Jwks;
use get::FetchError;

/// How long a fetched set is good, give or take a tenth: gateways that started together shall not ask together.
const EVERY: Duration = Duration::from_secs(300);
/// How often strangers can make us fetch a set.
const ON_CALL: Duration = Duration::from_secs(60);
/// The first wait after a failure; doubled for each further one, up to [`EVERY`].
const RETRY: Duration = Duration::from_secs(2);
/// Fetches at a time.
const AT_ONCE: usize = 16;
/// How often it is looked whether there still is a gate.
const LOOK: Duration = Duration::from_secs(2);

impl Gate {
    /// Starts the thread that fetches [`Gate::remote_keys`]. It ends with the gate.
    ///
    /// # Errors
    /// Where the system gives no thread, or TLS cannot be set up.
    pub fn fetch_keys(&self) -> io::Result<()> {
        let tls = get::connector().map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let gate = Arc::downgrade(&self.inner);
        let thread = std::thread::Builder::new().name("tollgate-keys".to_owned());
        thread.spawn(move || runtime.block_on(keep_fetched(gate, tls)))?;
        Ok(())
    }
}

type Fetched = (Arc<RemoteKeys>, Result<Jwks, FetchError>);

async fn keep_fetched(gate: Weak<Inner>, tls: TlsConnector) {
    let mut watched: Vec<Watched> = Vec::new();
    let mut fetches: JoinSet<Fetched> = JoinSet::new();
    loop {
        let Some(inner) = gate.upgrade() else { return };
        let gate = Gate { inner };
        let now = gate.clock().now();
        watched = reconcile(watched, gate.remote_keys(), now);
        for set in &mut watched {
            if fetches.len() < AT_ONCE && set.schedule.is_due(now, set.keys.is_wanted()) {
                let on_call = set.keys.take_wanted();
                set.schedule.begin(now, on_call);
                let (keys, tls) = (Arc::clone(&set.keys), tls.clone());
                fetches.spawn(async move {
                    let fetched = get::get(keys.uri(), &tls).await;
                    (keys, fetched)
                });
            }
        }
        let waits = watched.iter().filter_map(|set| set.schedule.wait(now, set.keys.is_wanted()));
        let wait = waits.min().unwrap_or(LOOK).clamp(Duration::from_millis(10), LOOK);
        let call = gate.keys_called_for();
        drop(gate);
        tokio::select! {
            () = call => {}
            () = tokio::time::sleep(wait) => {}
            Some(Ok((keys, fetched))) = fetches.join_next() => {
                let known = watched.iter_mut().find(|set| Arc::ptr_eq(&set.keys, &keys));
                take(&keys, fetched, known);
            }
        }
    }
}

/// A set and when to fetch it.
struct Watched {
    keys: Arc<RemoteKeys>,
    schedule: Schedule,
}

/// Keeps the schedules of sets that stay, and begins those of new ones.
fn reconcile(mut watched: Vec<Watched>, sets: Vec<Arc<RemoteKeys>>, now: Millis) -> Vec<Watched> {
    sets.into_iter()
        .map(|keys| match watched.iter().position(|set| Arc::ptr_eq(&set.keys, &keys)) {
            Some(place) => watched.swap_remove(place),
            None => Watched { keys, schedule: Schedule::new(now) },
        })
        .collect()
}

fn take(keys: &RemoteKeys, fetched: Result<Jwks, FetchError>, known: Option<&mut Watched>) {
    let before = known.as_ref().map_or(0, |set| set.schedule.failures);
    if let Some(set) = known {
        let mut random = [0; 2];
        // Without randomness there is no jitter, and nothing else is lost.
        let _ = getrandom::fill(&mut random);
        set.schedule.end(fetched.is_ok(), u16::from_ne_bytes(random));
    }
    match fetched {
        Ok(fetched) => {
            for ignored in fetched.ignored() {
                log::debug!("{}: key {} is not used: {}", keys.uri(), ignored.index, ignored.reason);
            }
            if before > 0 {
                log::info!("{}: keys can be fetched again", keys.uri());
            }
            keys.replace(fetched);
        }
        // Once for each outage.
        Err(error) if before == 0 => {
            log::warn!("{}: the keys there cannot be fetched, those from before stay: {error}", keys.uri());
        }
        Err(error) => log::debug!("{}: {error}", keys.uri()),
    }
}

/// When one set is fetched. It knows no clock: times are given.
struct Schedule {
    /// When it began last.
    began: Millis,
    /// When it is due of itself.
    next: Millis,
    /// From when on a call is heard.
    next_on_call: Millis,
    failures: u32,
    under_way: bool,
}

impl Schedule {
    fn new(now: Millis) -> Self {
        Self { began: now, next: now, next_on_call: now, failures: 0, under_way: false }
    }

    fn is_due(&self, now: Millis, wanted: bool) -> bool {
        !self.under_way && (now >= self.next || (wanted && now >= self.next_on_call))
    }

    /// How long until it is due; none while it is under way, whose end is waited for anyway.
    fn wait(&self, now: Millis, wanted: bool) -> Option<Duration> {
        let due = if wanted { self.next.min(self.next_on_call) } else { self.next };
        (!self.under_way).then(|| due.since(now))
    }

    fn begin(&mut self, now: Millis, on_call: bool) {
        self.began = now;
        self.under_way = true;
        if on_call {
            self.next_on_call = now.after(ON_CALL);
        }
    }

    /// `random` spreads the next one over a fifth of the time until then.
    fn end(&mut self, good: bool, random: u16) {
        self.under_way = false;
        self.failures = if good { 0 } else { self.failures.saturating_add(1) };
        let wait = match self.failures {
            0 => EVERY,
            failures => RETRY.saturating_mul(1 << (failures - 1).min(16)).min(EVERY),
        };
        let tenth = wait / 10;
        self.next = self.began.after(wait - tenth + tenth * 2 * u32::from(random) / u32::from(u16::MAX));
    }
}

#[cfg(test)]
mod tests;
