//! The task that adds entries to the log, several at once.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::store::redis::connect::{Data, PATIENCE};
use crate::store::redis::scripts::{Addition, Job, append};
use crate::store::redis::shared::Shared;
use crate::store::token_store::StoreError;

/// The most entries that are added at once.
const AT_ONCE: usize = 256;

impl Shared {
    /// Adds an entry to the log. Returns the epoch of the client, if it is about one.
    pub(super) async fn add_to_log(&self, addition: Addition) -> Result<u32, StoreError> {
        let (done, added) = oneshot::channel();
        self.additions.send(Job { addition, done }).map_err(|_| StoreError::Unavailable)?;
        // The sender is dropped if it fails.
        added.await.map_err(|_| StoreError::Unavailable)
    }
}

/// Adds entries until the store ends.
pub(super) async fn run(shared: Arc<Shared>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, AT_ONCE).await > 0 {
        let Ok(Ok(link)) = tokio::time::timeout(PATIENCE, shared.link()).await else {
            batch.clear();
            continue;
        };
        // Nothing is added for somebody who has given up: it would be added again.
        batch.retain(|job: &Job| !job.done.is_closed());
        if batch.is_empty() {
            continue;
        }
        let mut writes = link.writes.clone();
        match append(&mut writes, &shared.keys, batch.iter().map(|job| &job.addition)).await {
            Ok(epochs) => {
                for (job, epoch) in batch.drain(..).zip(epochs) {
                    let _ = job.done.send(epoch);
                }
            }
            Err(error) => {
                shared.failed(&link, &error);
                if matches!(link.data, Data::Cluster(_)) {
                    // The connection to the node that has the log is not the cluster's.
                    shared.broken.notify_one();
                }
                batch.clear();
                continue;
            }
        }
        if shared.replicas() > 0 {
            confirm(&shared, &mut writes).await;
        }
    }
}

/// Waits until a replica has what was added. Those who wait for the revocation wait for one lease anyway.
async fn confirm(shared: &Shared, writes: &mut redis::aio::MultiplexedConnection) {
    let lease = u64::try_from(shared.options.lease.as_millis()).unwrap_or(u64::MAX);
    // It must not be longer than an answer is waited for.
    let at_most = lease.min(PATIENCE.as_millis() as u64 / 2);
    let confirmed: Result<u32, _> = redis::cmd("WAIT").arg(1).arg(at_most).query_async(writes).await;
    shared.note_confirmation(confirmed.is_ok_and(|replicas| replicas > 0));
}
