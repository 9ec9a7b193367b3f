//! The thread that records the use of secrets and the observations of shadow mode, and logs warnings about
//! both.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::messages;
use super::record::Record;
use super::watch::Watch;
use crate::gate::Gate;
use crate::gateway::shadow_keeper::ShadowKeeper;
use crate::store::Journal;
use crate::threads;

/// How often the thread records new uses. If the process is killed, the uses since the last time are lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Records the use of a gate's secrets in the journal, and the observations of shadow mode in a file, while
/// the gateway runs.
pub(crate) struct Keeper {
    handle: KeeperHandle,
    thread: JoinHandle<()>,
}

/// A handle that sends requests to the thread of a [`Keeper`], from any thread.
#[derive(Clone)]
pub(crate) struct KeeperHandle(Sender<Task>);

/// A request to the thread.
enum Task {
    /// Record everything, for another process that takes over.
    HandOver(Sender<()>),
    /// Continue as before, because no process takes over.
    Resume,
    /// Add the uses that the previous process has counted until its end.
    Absorb(Sender<()>),
    /// Record everything a last time, and end.
    Finish,
}

impl KeeperHandle {
    /// Records everything that was counted, and then counts separately what another process does not know.
    /// Waits until everything is in the queue of the journal.
    pub(crate) fn hand_over(&self) {
        self.wait_for(Task::HandOver);
    }

    /// Reverts [`KeeperHandle::hand_over`].
    pub(crate) fn resume(&self) {
        let _ = self.0.send(Task::Resume);
    }

    /// Adds the uses that the previous process has counted since it handed over, and waits until that is
    /// done. That process must have ended.
    pub(crate) fn absorb(&self) {
        self.wait_for(Task::Absorb);
    }

    fn wait_for(&self, task: fn(Sender<()>) -> Task) {
        let (done, wait) = channel();
        if self.0.send(task(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

impl Keeper {
    /// Restores the uses from the journal and starts to update it. `alone` says that no other process writes
    /// to it. Without a journal, the thread only logs warnings.
    ///
    /// # Errors
    /// Fails if the system starts no thread.
    pub(crate) fn start(
        gate: Gate,
        journal: Option<Arc<Journal>>,
        state_dir: &Path,
        alone: bool,
        mut shadow: ShadowKeeper,
    ) -> io::Result<Self> {
        let record = journal.map(|journal| Record::start(&gate, journal, state_dir, alone));
        let watch = Watch::new(&gate.seen_secrets());
        let mut work = Work { gate, record, watch };
        let (tasks, asked) = channel();
        let thread = threads::spawn("tollgate-secrets", move || {
            loop {
                let task = asked.recv_timeout(LOOK_EVERY);
                if let (Ok(Task::Absorb(_)), Some(record)) = (&task, &mut work.record) {
                    record.absorb(&work.gate);
                }
                if matches!(&task, Ok(Task::Absorb(_))) {
                    shadow.absorb();
                }
                work.look();
                shadow.look(task.is_ok());
                match task {
                    Ok(Task::HandOver(done)) => {
                        if let Some(record) = &mut work.record {
                            record.hand_over();
                        }
                        shadow.hand_over();
                        drop(done);
                    }
                    Ok(Task::Resume) => {
                        if let Some(record) = &mut work.record {
                            record.resume();
                        }
                        shadow.resume();
                    }
                    Ok(Task::Absorb(done)) => drop(done),
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(Task::Finish) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { handle: KeeperHandle(tasks), thread })
    }

    /// Returns a handle to the thread.
    pub(crate) fn handle(&self) -> KeeperHandle {
        self.handle.clone()
    }

    /// Records the remaining uses, and waits until they are in the queue of the journal.
    pub(crate) fn finish(self) {
        let _ = self.handle.0.send(Task::Finish);
        let _ = self.thread.join();
    }
}

struct Work {
    gate: Gate,
    record: Option<Record>,
    watch: Watch,
}

impl Work {
    fn look(&mut self) {
        let seen = self.gate.seen_secrets();
        for line in self.watch.lines(&seen, self.gate.clock().unix_time()) {
            log::warn!("{line}");
        }
        if let Some(record) = &mut self.record {
            record.write(seen);
        }
    }
}

/// Warns about expired secrets that are still in the configuration, at a start and at a reload.
pub(crate) fn warn_of_expired(gate: &Gate) {
    let now = gate.clock().unix_time();
    for secret in gate.seen_secrets() {
        if let Some(end) = secret.expires.filter(|end| *end <= now) {
            log::warn!("{}", messages::expired_line(&secret, end));
        }
    }
}
