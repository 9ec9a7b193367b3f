//! The task that keeps the connection to the engine, reads the log, and detects when the engine has been
//! replaced or has lost data.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::oauth::client::ClientId;
use crate::store::engine::Topology;
use crate::store::redis::clients;
use crate::store::redis::connect::{self, Link};
use crate::store::redis::entry::{Entry, Position};
use crate::store::redis::error::EngineError;
use crate::store::redis::identity::{Identity, Role};
use crate::store::redis::replay::{Extent, replay};
use crate::store::redis::scripts::{self, Continuity, Read};
use crate::store::redis::shared::{Shared, lock};

/// How often the log is read without a notification.
const READ_EVERY: Duration = Duration::from_millis(25);
/// How often the identity of the engine is checked, and the primary is queried from sentinels or cluster
/// nodes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The wait before the next connection attempt: the first one, and the maximum.
const PAUSE: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(500)];
/// How long the task waits for other gateways after the engine has lost data.
const OTHERS: Duration = Duration::from_secs(2);
/// The maximum age of another gateway's last read for which the task waits for that gateway.
const SEEN: Duration = Duration::from_secs(5);

/// The state of the engine, which is kept while there is no connection.
#[derive(Default)]
struct Known {
    /// The history of the engine, after the first connection.
    history: Option<String>,
    position: Option<Position>,
    /// The entry about this gateway: the history and the log that it has read.
    marker: String,
    /// Whether the data that the engine may have lost still has to be written to it.
    unfinished: bool,
    /// Whether the log already reports that the engine cannot be used.
    down: bool,
}

/// Connects to the engine, and reconnects when a connection fails.
pub(super) async fn run(shared: Arc<Shared>) {
    let (mut known, mut pause) = (Known::default(), PAUSE[0]);
    loop {
        let ring = Arc::new(Notify::new());
        let table = Arc::clone(&shared.clients.changed);
        let error = match Link::connect(&shared.options, &shared.keys, Arc::clone(&ring), table).await {
            Ok((link, identity)) => serve(&shared, link, identity, &ring, &mut known, &mut pause).await,
            Err(error) => error,
        };
        // Callers that wait for a response keep waiting for a moment.
        shared.link.send_replace(None);
        if !std::mem::replace(&mut known.down, true) {
            let engine = &shared.options.topology;
            if error.is_about_configuration() {
                log::error!("the shared store at {engine} cannot be used: {error}");
            } else {
                log::error!(
                    "the shared store at {engine} cannot be reached: {error}. Until it can, tokens that need it are \
                     answered with 503, and so are issuing and revoking"
                );
            }
        } else {
            log::debug!("the shared store cannot be reached: {error}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE[1]);
    }
}

/// Uses a connection until it fails.
async fn serve(
    shared: &Arc<Shared>,
    link: Link,
    identity: Identity,
    ring: &Notify,
    known: &mut Known,
    pause: &mut Duration,
) -> EngineError {
    let link = Arc::new(link);
    shared.note_identity(&identity);
    let prepared = prepare(shared, &link, &identity, known).await;
    if let Err(error) = prepared {
        return error;
    }
    // The table of registered clients does not decide whether tokens can be judged. It is read again soon.
    if let Err(error) = clients::load(shared, &link).await {
        log::warn!("the registered clients cannot be read from the shared store: {error}");
    }
    // An earlier report of a failure was about another connection.
    let _ = tokio::time::timeout(Duration::ZERO, shared.broken.notified()).await;
    let supervision = supervise(shared, &link, &identity);
    let mut supervision = std::pin::pin!(supervision);
    loop {
        let turn = async {
            // A write of this gateway may be waiting for its connection.
            turn(shared, &link, &identity, known).await?;
            if std::mem::take(&mut known.down) || !is_linked(shared) {
                log::info!(
                    "the shared store at {} answers: {}, {} replicas",
                    link.address,
                    identity.version,
                    shared.replicas()
                );
            }
            *pause = PAUSE[0];
            if !is_linked(shared) {
                shared.link.send_replace(Some(Arc::clone(&link)));
            }
            replay(shared, &link, Extent::Unconfirmed).await?;
            let _ = tokio::time::timeout(READ_EVERY, ring.notified()).await;
            Ok::<(), EngineError>(())
        };
        let outcome = tokio::select! {
            outcome = turn => outcome,
            error = &mut supervision => Err(error),
            () = shared.broken.notified(), if is_linked(shared) => Err(EngineError::Silent),
        };
        if let Err(error) = outcome {
            return error;
        }
    }
}

fn is_linked(shared: &Shared) -> bool {
    shared.link.borrow().is_some()
}

/// Synchronizes this gateway and the engine before requests use the connection.
async fn prepare(
    shared: &Shared,
    link: &Link,
    identity: &Identity,
    known: &mut Known,
) -> Result<(), EngineError> {
    let is_new = known.history.as_ref() != Some(&identity.lineage());
    if is_new || known.unfinished {
        if is_new && known.history.is_some() {
            log::warn!(
                "the shared store at {} has another history than before (a restart or a failover): it gets again what it \
                 may have lost",
                link.address
            );
        }
        return begin_again(shared, link, identity, known).await;
    }
    replay(shared, link, Extent::Unconfirmed).await
}

/// Clears memory, writes everything to the engine that it may have lost, and waits until the other gateways
/// have done so.
async fn begin_again(
    shared: &Shared,
    link: &Link,
    identity: &Identity,
    known: &mut Known,
) -> Result<(), EngineError> {
    let before = known.history.as_ref().map(|_| known.marker.clone());
    known.unfinished = true;
    forget_position(shared, link, known).await?;
    replay(shared, link, Extent::Everything).await?;
    known.unfinished = false;
    // The appended entries are read again, which has no effect.
    known.history = Some(identity.lineage());
    known.marker = marker(identity, known.position);
    let Some(before) = before else { return Ok(()) };
    let now = shared.lease.now();
    let others: Vec<String> = lock(&shared.gateways)
        .iter()
        .filter(|(_, (seen, _))| now.since(*seen) < OTHERS + SEEN)
        .map(|(name, _)| name.clone())
        .collect();
    let until = Instant::now() + OTHERS;
    let mut log = link.log.clone();
    loop {
        let about = about(shared, known);
        let read =
            scripts::read(&mut log, &shared.keys, known.position, (&shared.options.name, &about)).await?;
        let done = |name: &String| {
            let found = read.gateways.iter().find(|(other, ..)| other == name);
            found.is_some_and(|(.., about)| about.split(' ').next().is_some_and(|marker| marker != before))
        };
        if others.iter().all(done) {
            return Ok(());
        }
        if Instant::now() >= until {
            log::warn!("the shared store: a gateway that was there before the failover has not come back");
            return Ok(());
        }
        tokio::time::sleep(READ_EVERY).await;
    }
}

/// Clears memory and continues at the end of the log.
async fn forget_position(shared: &Shared, link: &Link, known: &mut Known) -> Result<(), EngineError> {
    shared.clear();
    shared.stats.cleared.add(1);
    let (position, epochs) = scripts::snapshot(&mut link.log.clone(), &shared.keys).await?;
    for (client, epoch) in epochs {
        if let Some(client) = ClientId::new(&client) {
            shared.interner().client(&client).advance_to(epoch);
        }
    }
    known.position = position;
    Ok(())
}

/// Reads the log until its end, and extends the lease.
async fn turn(
    shared: &Shared,
    link: &Link,
    identity: &Identity,
    known: &mut Known,
) -> Result<(), EngineError> {
    loop {
        let about = about(shared, known);
        let (sent, begun) = (shared.lease.now(), Instant::now());
        let mut log = link.log.clone();
        let read =
            scripts::read(&mut log, &shared.keys, known.position, (&shared.options.name, &about)).await?;
        shared.stats.reads.add(1);
        shared.stats.round_trip.set(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        match read.continuity(known.position) {
            Continuity::Continues => {}
            Continuity::Trimmed => {
                log::warn!(
                    "the shared store: entries of the log were missed, so all tokens are queried again"
                );
                forget_position(shared, link, known).await?;
                continue;
            }
            Continuity::Replaced => {
                log::warn!(
                    "the shared store at {} has lost its log: what it may have lost is written to it again",
                    link.address
                );
                shared.link.send_replace(None);
                shared.lease.end();
                begin_again(shared, link, identity, known).await?;
                continue;
            }
        }
        if !apply(shared, &read) {
            log::warn!(
                "the shared store: the log has an entry of another version, so all tokens are queried again"
            );
            forget_position(shared, link, known).await?;
            continue;
        }
        if let Some((last, _)) = read.entries.last() {
            known.position = Some(*last);
            known.marker = marker(identity, known.position);
        }
        shared.stats.behind.set(read.behind());
        if read.behind() == 0 {
            note_gateways(shared, &read);
            shared.lease.extend(sent);
            return Ok(());
        }
    }
}

/// Applies the entries. Returns false if one cannot be read: it may be about any token.
fn apply(shared: &Shared, read: &Read) -> bool {
    let mut all = true;
    for (_, text) in &read.entries {
        match Entry::read(text) {
            Some(Entry::Revoked(token, left)) => {
                let until = shared.clock.now().after(Duration::from_millis(left));
                if shared.bury(token, until)
                    && let Some(journal) = &shared.journal
                {
                    journal.note_revoked(token, until);
                }
            }
            Some(Entry::Epoch(client, epoch)) => shared.interner().client(&client).advance_to(epoch),
            None => all = false,
        }
    }
    all
}

/// Returns the identifier of the history and the log.
fn marker(identity: &Identity, position: Option<Position>) -> String {
    format!("{}#{}", identity.lineage(), position.map_or(0, |position| position.log))
}

/// Returns the entry about this gateway.
fn about(shared: &Shared, known: &Known) -> String {
    format!("{} {} {}", known.marker, *lock(&shared.client_set), env!("CARGO_PKG_VERSION"))
}

/// Records the list of gateways, and logs when their clients start or stop to differ.
fn note_gateways(shared: &Shared, read: &Read) {
    let now = shared.lease.now();
    let own = lock(&shared.client_set).clone();
    let mut gateways = lock(&shared.gateways);
    let seen = u64::try_from(SEEN.as_millis()).unwrap_or(u64::MAX);
    for (name, at, about) in &read.gateways {
        let is_live = read.now.saturating_sub(*at) < seen;
        if is_live && *name != shared.options.name {
            let clients = about.split(' ').nth(1).unwrap_or_default();
            match gateways.get_mut(name) {
                Some(known) => {
                    known.0 = now;
                    if known.1 != clients {
                        clients.clone_into(&mut known.1);
                    }
                }
                None => drop(gateways.insert(name.clone(), (now, clients.to_owned()))),
            }
        }
    }
    gateways.retain(|_, (at, _)| now.since(*at) < OTHERS + SEEN);
    let after = gateways.values().filter(|(_, clients)| *clients != own).count() as u64;
    drop(gateways);
    let before = shared.stats.differing.get();
    shared.stats.differing.set(after);
    match (before, after) {
        (0, 1..) => log::warn!(
            "the shared store: {after} gateways have other clients than this one. `tollgate state` lists them"
        ),
        (1.., 0) => log::info!("the shared store: all gateways have the same clients"),
        _ => {}
    }
}

/// Checks whether the engine and the primary are still the same.
async fn supervise(shared: &Shared, link: &Link, identity: &Identity) -> EngineError {
    let mut connection = link.log.clone();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match Identity::ask(&mut connection).await {
            Err(error) => return error,
            Ok(now) if now.role == Role::Replica => return EngineError::Replica(link.address.clone()),
            Ok(now) if now.history != identity.history => return EngineError::Moved(link.address.clone()),
            Ok(now) => shared.note_identity(&now),
        }
        if matches!(shared.options.topology, Topology::Single(_)) {
            continue;
        }
        // Sentinels that do not respond change nothing.
        if let Ok(primary) = connect::primary(&shared.options, &shared.keys).await
            && (primary.address != link.address || primary.group != identity.group)
        {
            return EngineError::Moved(primary.address);
        }
    }
}
