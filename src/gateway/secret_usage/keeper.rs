//! The thread that records the use of secrets, and what routes in shadow mode learn, and logs warnings about both.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::messages;
use super::record::Record;
use super::watch::Watch;
use crate::gate::Gate;
use crate::gateway::shadow_keeper::ShadowKeeper;
use crate::store::Journal;

/// How often the thread looks. If the process is killed, the uses since then are lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Records the use of a gate's secrets in the journal while the gateway runs, and what routes in shadow mode learn in a
/// file.
pub(crate) struct Keeper {
    handle: KeeperHandle,
    thread: JoinHandle<()>,
}

/// Asks the thread of a [`Keeper`] for something, from any thread.
#[derive(Clone)]
pub(crate) struct KeeperHandle(Sender<Task>);

/// What the thread is asked for.
enum Task {
    /// To record everything, for another process that takes over.
    HandOver(Sender<()>),
    /// To go on as before, because no process takes over.
    Resume,
    /// To add what the process before this one has counted until its end.
    Absorb(Sender<()>),
    /// To record for the last time, and to end.
    Finish,
}

impl KeeperHandle {
    /// Records everything that was counted, and counts apart from then on what another process does not know. Waits until
    /// all of it is among what the journal writes next.
    pub(crate) fn hand_over(&self) {
        self.wait_for(Task::HandOver);
    }

    /// Goes on as before [`KeeperHandle::hand_over`].
    pub(crate) fn resume(&self) {
        let _ = self.0.send(Task::Resume);
    }

    /// Adds what the process before this one has counted since it handed over. It must have ended. Waits for that.
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
    /// Restores what the journal says and starts to update it. `alone` says that no other process writes it. Without a
    /// journal, the thread logs warnings only.
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
        let thread = thread::Builder::new().name("tollgate-secrets".to_owned()).spawn(move || {
            loop {
                let task = asked.recv_timeout(LOOK_EVERY);
                if let (Ok(Task::Absorb(_)), Some(record)) = (&task, &mut work.record) {
                    record.absorb(&work.gate);
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

    /// Returns what asks the thread for something.
    pub(crate) fn handle(&self) -> KeeperHandle {
        self.handle.clone()
    }

    /// Records what is not yet recorded, and waits until the journal has it among what it writes next.
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

/// Warns about secrets that have expired and are still in the configuration, at a start and at a reload.
pub(crate) fn warn_of_expired(gate: &Gate) {
    let now = gate.clock().unix_time();
    for secret in gate.seen_secrets() {
        if let Some(end) = secret.expires.filter(|end| *end <= now) {
            log::warn!("{}", messages::expired_line(&secret, end));
        }
    }
}
