//! The one thread beside those of the requests: it probes servers and looks up names.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::HealthCheck;
use super::probe::{Ill, probe};
use super::verdict::Change;
use crate::proxy::dial::is_our_own;
use crate::proxy::pipeline::Proxy;
use crate::proxy::upstream::{Server, Upstream};

/// Threads for look-ups, which block: so many name servers may hang before names wait for each other.
const LOOK_UPS: usize = 4;
/// The first probe comes within this, at a time of its own: many servers are not all probed in one moment.
const SPREAD: Duration = Duration::from_secs(1);

/// Starts it, for the rest of the process.
pub(in crate::proxy) fn start(proxy: &'static Proxy) -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(LOOK_UPS).build()?;
    std::thread::Builder::new()
        .name("tollgate-upkeep".to_owned())
        .spawn(move || runtime.block_on(follow(proxy)))?;
    Ok(())
}

/// Does what the rules in force ask for, and begins anew when they change. What was found out is in the servers'
/// standings, which pass from one set of rules to the next.
async fn follow(proxy: &'static Proxy) {
    loop {
        let rules = proxy.rules();
        let mut tasks = JoinSet::new();
        for site in rules.roster.sites().filter(|site| site.is_name()) {
            let site = Arc::clone(site);
            tasks.spawn(async move { site.refresh().await });
        }
        for upstream in &rules.upstreams {
            let Some(check) = &upstream.health_check else { continue };
            for server in upstream.servers() {
                tasks.spawn(watch(Arc::clone(upstream), Arc::clone(server), check.clone()));
            }
        }
        drop(rules);
        proxy.rules_changed().await;
        // Dropped with the set, all of them end.
    }
}

/// Probes one server again and again.
async fn watch(upstream: Arc<Upstream>, server: Arc<Server>, check: HealthCheck) {
    let chance = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
    let first = Instant::now() + SPREAD.min(check.interval).mul_f64(chance);
    let mut ticks = interval_at(first, check.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = probe(&upstream, &server, &check).await;
        if matches!(&outcome, Err(Ill::Connect(error)) if is_our_own(error)) {
            continue;
        }
        let change = server.standing.verdict.hear(outcome.is_ok(), check.thresholds);
        if change == Some(Change::Healthy) {
            upstream.welcome(&server);
        }
        if change.is_some() {
            server.standing.news.add();
        }
        match (change, outcome) {
            (Some(Change::Unhealthy), Err(ill)) => {
                let times = check.thresholds.unhealthy_after;
                log::warn!("upstream {:?}: {server} is unhealthy: {ill} ({times} in a row)", upstream.name);
            }
            (Some(_), _) => log::info!("upstream {:?}: {server} is healthy again", upstream.name),
            (None, _) => {}
        }
    }
}
