//! The task that appends entries to the log, in batches.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::store::redis::connect::{Data, PATIENCE};
use crate::store::redis::scripts::{Addition, Job, append};
use crate::store::redis::shared::Shared;
use crate::store::token_store::StoreError;

/// The maximum number of entries in one batch.
const AT_ONCE: usize = 256;

impl Shared {
    /// Appends an entry to the log. Returns the epoch of the client if the entry is about a client.
    pub(super) async fn add_to_log(&self, addition: Addition) -> Result<u32, StoreError> {
        let (done, added) = oneshot::channel();
        self.additions.send(Job { addition, done }).map_err(|_| StoreError::Unavailable)?;
        // The sender is dropped if the append fails.
        added.await.map_err(|_| StoreError::Unavailable)
    }
}

/// Appends entries until the store ends.
pub(super) async fn run(shared: Arc<Shared>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, AT_ONCE).await > 0 {
        let Ok(Ok(link)) = tokio::time::timeout(PATIENCE, shared.link()).await else {
            batch.clear();
            continue;
        };
        // An entry whose caller has given up is dropped, because that caller appends it again.
        batch.retain(|job: &Job| !job.done.is_closed());
        if batch.is_empty() {
            continue;
        }
        let mut writes = link.writes.clone();
        match append(&mut writes, &shared.keys, batch.iter().map(|job| &job.addition)).await {
            Ok(epochs) => {
                let is_fenced = shared.is_fenced();
                // Without the confirmation, another primary may lack the entries. Nobody is told that the
                // tokens are refused everywhere.
                if is_fenced && !confirm(&shared, &mut writes).await {
                    batch.clear();
                    continue;
                }
                for (job, epoch) in batch.drain(..).zip(epochs) {
                    let _ = job.done.send(epoch);
                }
                if !is_fenced && shared.replicas() > 0 {
                    confirm(&shared, &mut writes).await;
                }
            }
            Err(error) => {
                shared.failed(&link, &error);
                if matches!(link.data, Data::Cluster(_)) {
                    // This connection leads to the node that has the log. It is not the connection to the
                    // whole cluster.
                    shared.broken.notify_one();
                }
                batch.clear();
            }
        }
    }
}

/// Waits until a replica has the appended entries, and returns whether one has them. The callers of an engine
/// that is not fenced do not wait for this, but wait for one lease after a revocation.
async fn confirm(shared: &Shared, writes: &mut redis::aio::MultiplexedConnection) -> bool {
    let lease = u64::try_from(shared.options.lease.as_millis()).unwrap_or(u64::MAX);
    // The wait must not exceed the timeout of a response.
    let at_most = lease.min(PATIENCE.as_millis() as u64 / 2);
    let confirmed: Result<u32, _> = redis::cmd("WAIT").arg(1).arg(at_most).query_async(writes).await;
    let confirmed = confirmed.is_ok_and(|replicas| replicas > 0);
    shared.note_confirmation(confirmed);
    confirmed
}
