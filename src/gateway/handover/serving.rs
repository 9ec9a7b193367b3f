//! The socket on which a running gateway accepts requests for an upgrade, and connections of its successor.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use super::channel::Channel;
use super::predecessor::Predecessor;
use super::successor::{Parts, Program, Replaced, Successor};
use super::{CATCH_UP_EVERY, socket_path};
use crate::state_file;
use crate::threads;

/// How long a process may take to send its first line after it has connected.
const FIRST_LINE: Duration = Duration::from_secs(5);

/// The upgrades of this process.
pub(in crate::gateway) struct Handover {
    parts: Parts,
    program: Program,
    socket: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether the previous gateway is still finishing requests.
    has_predecessor: bool,
    /// The process that is expected to connect, and the channel that receives its connection.
    expected: Option<(u32, Sender<Channel>)>,
    is_upgrading: bool,
    replaced: Option<Replaced>,
}

impl Handover {
    pub(in crate::gateway) fn new(parts: Parts, state_dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            parts,
            program: Program::of_process(),
            socket: socket_path(state_dir),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Takes over from `predecessor`, if there is one, and then accepts requests for upgrades. Calls
    /// `serving` in between.
    pub(in crate::gateway) fn start(
        self: Arc<Self>,
        predecessor: Option<Arc<Predecessor>>,
        serving: impl FnOnce() + Send + 'static,
    ) {
        let handover = move || {
            let replaces = predecessor.is_some();
            if let Some(predecessor) = predecessor {
                predecessor.ready();
                self.lock().has_predecessor = true;
                let follower = Arc::clone(&self);
                let follow = move || {
                    predecessor.follow(&follower.parts.stored);
                    follower.parts.keeper.absorb();
                    follower.lock().has_predecessor = false;
                    follower.changed.notify_all();
                };
                if let Err(error) = threads::spawn("tollgate-follow", follow) {
                    log::error!("the tokens of the previous gateway process cannot be read: {error}");
                }
            }
            serving();
            match self.bind(replaces) {
                Ok(listener) => self.listen(&listener),
                Err(error) => log::warn!(
                    "`tollgate upgrade` does not work, because {} cannot be used: {error}",
                    self.socket.display()
                ),
            }
        };
        if let Err(error) = threads::spawn("tollgate-upgrade", handover) {
            log::error!("`tollgate upgrade` does not work: {error}");
        }
    }

    /// Starts an upgrade that a signal has requested.
    pub(in crate::gateway) fn upgrade_on_signal(self: &Arc<Self>) {
        let handover = Arc::clone(self);
        let upgrade = move || drop(handover.upgrade());
        if let Err(error) = threads::spawn("tollgate-upgrade", upgrade) {
            log::error!("the upgrade cannot begin: {error}");
        }
    }

    /// Binds a temporary name and renames it, so that clients can always connect. Only a process that
    /// replaces a gateway may replace its socket.
    fn bind(&self, replaces: bool) -> io::Result<UnixListener> {
        if !replaces && UnixStream::connect(&self.socket).is_ok() {
            return Err(io::Error::other("another gateway listens on it: give each its own state_dir"));
        }
        if let Some(folder) = self.socket.parent() {
            state_file::make_folder(folder)?;
        }
        let beside = self.socket.with_extension("sock.new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&beside)?;
        fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
        fs::rename(&beside, &self.socket)?;
        Ok(listener)
    }

    fn listen(self: &Arc<Self>, listener: &UnixListener) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // The process is probably out of file descriptors.
                thread::sleep(FIRST_LINE);
                continue;
            };
            if let Err(error) = self.answer(Channel::new(stream)) {
                log::warn!("a process that connected to {} is ignored: {error}", self.socket.display());
            }
        }
    }

    fn answer(self: &Arc<Self>, channel: Channel) -> io::Result<()> {
        let (process, user) = channel.peer()?;
        if user != 0 && user != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(format!("it belongs to the user {user}")));
        }
        channel.set_timeout(Some(FIRST_LINE))?;
        let first = channel.receive().map_err(|_| io::Error::other("it sent no line"))?;
        match &*first {
            "successor" => {
                let expected = self.lock().expected.take_if(|(expected, _)| *expected == process);
                match expected {
                    Some((_, connected)) => drop(connected.send(channel)),
                    None => {
                        channel.send_failure("only a process that the gateway has started can take over")?
                    }
                }
            }
            "upgrade" => {
                let handover = Arc::clone(self);
                let upgrade = move || {
                    let sent = match handover.upgrade() {
                        Ok(process) => channel.send(&format!("done {process}")),
                        Err(reason) => channel.send_failure(&reason),
                    };
                    if sent.is_err() {
                        log::info!("the process that requested the upgrade did not wait for its result");
                    }
                };
                threads::spawn("tollgate-upgrade", upgrade)?;
            }
            _ => channel.send_failure("the gateway does not support this request")?,
        }
        Ok(())
    }

    /// Lets a new process take over. Returns the new process.
    fn upgrade(&self) -> Result<u32, String> {
        {
            let mut state = self.lock();
            if state.is_upgrading {
                return Err("an upgrade is already under way".to_owned());
            }
            if let Some(replaced) = &state.replaced {
                return Err(format!("the process {} has already taken over", replaced.process));
            }
            state.is_upgrading = true;
        }
        let outcome = self.replace();
        let mut state = self.lock();
        state.is_upgrading = false;
        state.expected = None;
        match outcome {
            Ok(replaced) => {
                let process = replaced.process;
                state.replaced = Some(replaced);
                log::info!("the process {process} has taken over: this one finishes its requests and ends");
                Ok(process)
            }
            Err(reason) => {
                log::error!("the upgrade has failed, and this process continues to serve: {reason}");
                Err(reason)
            }
        }
    }

    fn replace(&self) -> Result<Replaced, String> {
        // At most two processes share a journal.
        let state = self.changed.wait_while(self.lock(), |state| state.has_predecessor);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let (connected, connection) = channel();
        // The lock is held until the process is registered as expected, because it may connect at once.
        let process = self.program.start(&self.socket)?;
        state.expected = Some((process.id(), connected));
        drop(state);
        let replaced = Successor::wait_for(process, &connection)?.take_over(&self.parts)?;
        let stored = Arc::clone(&self.parts.stored);
        let follow = move || {
            loop {
                stored.catch_up();
                thread::sleep(CATCH_UP_EVERY);
            }
        };
        if let Err(error) = threads::spawn("tollgate-follow", follow) {
            log::error!("the tokens of the new process cannot be read: {error}");
        }
        Ok(replaced)
    }

    /// A thread that panicked while it held the lock leaves, at worst, an upgrade that is still marked as in
    /// progress.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
