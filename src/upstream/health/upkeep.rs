//! The maintenance thread: it probes servers and resolves names, away from the threads that serve requests.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::HealthCheck;
use super::probe::{ProbeError, probe};
use super::status::Change;
use crate::tasks::{block_on, task};
use crate::threads;
use crate::upstream::group::Upstream;
use crate::upstream::local_fault::is_local_fault;
use crate::upstream::resolve::Resolver;
use crate::upstream::server::Server;

/// Threads for DNS lookups, which block: this many may hang before other lookups have to wait.
const LOOKUP_THREADS: usize = 4;
/// The bound of the random delay before the first probe, so that many servers are not probed at the same
/// moment.
const MAX_INITIAL_DELAY: Duration = Duration::from_secs(1);

/// The servers and names of one configuration.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Upstreams whose servers are probed, where they have a health check.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// Names that are resolved periodically.
    pub(crate) resolvers: Vec<Arc<Resolver>>,
}

/// Starts the thread. It runs until the process ends and follows every change of `watched`.
///
/// # Errors
/// The system provides no runtime or no thread.
pub(crate) fn start(watched: Receiver<Arc<Watched>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUP_THREADS)
        .build()?;
    threads::spawn("tollgate-upkeep", move || block_on(&runtime, follow(watched)))?;
    Ok(())
}

/// Probes the servers and resolves the names of the current configuration, and starts over when it changes.
/// The results are kept in the servers' states, which carry over from one configuration to the next.
async fn follow(mut watched: Receiver<Arc<Watched>>) {
    loop {
        let current = Arc::clone(&watched.borrow_and_update());
        let mut tasks = JoinSet::new();
        for resolver in current.resolvers.iter().filter(|resolver| resolver.is_name()) {
            let resolver = Arc::clone(resolver);
            tasks.spawn(task(async move { resolver.refresh().await }));
        }
        for upstream in &current.upstreams {
            let Some(check) = &upstream.health_check else { continue };
            for server in upstream.servers() {
                let probes = probe_periodically(Arc::clone(upstream), Arc::clone(server), check.clone());
                tasks.spawn(task(probes));
            }
        }
        drop(current);
        if watched.changed().await.is_err() {
            // The sender is gone: the process is ending.
            std::future::pending::<()>().await;
        }
        // Dropping the set ends all its tasks.
    }
}

/// Probes one server at the interval of its health check.
async fn probe_periodically(upstream: Arc<Upstream>, server: Arc<Server>, check: HealthCheck) {
    let chance = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
    let first = Instant::now() + MAX_INITIAL_DELAY.min(check.interval).mul_f64(chance);
    let mut ticks = interval_at(first, check.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = probe(&upstream, &server, &check).await;
        if matches!(&outcome, Err(ProbeError::Connect(error)) if is_local_fault(error)) {
            continue;
        }
        if let Err(error) = &outcome {
            upstream.record_failed_probe(&server, error);
        }
        let change = server.state.health.record(outcome.is_ok(), check.thresholds);
        if change == Some(Change::Healthy) {
            upstream.readmit(&server);
        }
        if change.is_some() {
            server.state.changes.add();
        }
        match (change, outcome) {
            (Some(Change::Unhealthy), Err(error)) => {
                let times = check.thresholds.unhealthy_after;
                log::warn!("upstream {:?}: {server} is unhealthy: {error} ({times} in a row)", upstream.name);
            }
            (Some(_), _) => log::info!("upstream {:?}: {server} is healthy again", upstream.name),
            (None, _) => {}
        }
    }
}
