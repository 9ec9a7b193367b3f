//! The running gateway's connection to the new process.

use std::env;
use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::Notify;

use super::channel::{Channel, ChannelError};
use super::{START, VARIABLE};
use crate::clock::{Clock as _, SystemClock};
use crate::gateway::reload::Reloader;
use crate::gateway::secret_usage::KeeperHandle;
use crate::gateway::service_manager;
use crate::gateway::store::Stored;
use crate::server::{PassableSockets, ShutdownHandle};

/// How often a process that has not connected yet is checked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The resources that are handed over or stopped.
pub(in crate::gateway) struct Parts {
    pub(in crate::gateway) sockets: PassableSockets,
    pub(in crate::gateway) shutdown: ShutdownHandle,
    pub(in crate::gateway) stored: Arc<Stored>,
    pub(in crate::gateway) keeper: KeeperHandle,
    pub(in crate::gateway) reloader: Arc<Reloader>,
    pub(in crate::gateway) metrics: Arc<Notify>,
    /// Stops the listener for operators.
    pub(in crate::gateway) admin: Arc<Notify>,
}

/// The program and its arguments, as this process was started.
pub(super) struct Program {
    path: OsString,
    arguments: Vec<OsString>,
}

impl Program {
    /// Returns the program of this process. It is started by its path, which may lead to another version by
    /// then.
    pub(super) fn of_process() -> Self {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        // A name without a folder was found through PATH.
        let has_folder = Path::new(&name).components().count() > 1;
        let path = if has_folder { name } else { env::current_exe().map_or(name, Into::into) };
        Self { path, arguments: arguments.collect() }
    }

    /// Starts the program for an upgrade of the gateway that listens on `socket`.
    pub(super) fn start(&self, socket: &Path) -> Result<Child, String> {
        Command::new(&self.path)
            .args(&self.arguments)
            .env(VARIABLE, socket)
            // These variables refer to this process.
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_FDNAMES")
            .env_remove("LISTEN_PID")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", Path::new(&self.path).display()))
    }
}

/// A process that is to take over.
pub(super) struct Successor {
    process: Child,
    channel: Channel,
}

impl Successor {
    /// Waits until a process connects.
    pub(super) fn wait_for(mut process: Child, connected: &Receiver<Channel>) -> Result<Self, String> {
        let clock = SystemClock::new();
        let start = clock.now();
        loop {
            match connected.recv_timeout(LOOK_EVERY) {
                Ok(channel) => return Ok(Self { process, channel }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    end(&mut process);
                    return Err("no connection is accepted".to_owned());
                }
            }
            match process.try_wait() {
                Ok(None) if clock.now().since(start) < START => {}
                Ok(None) => {
                    end(&mut process);
                    return Err(too_late());
                }
                Ok(Some(status)) => {
                    return Err(format!("the new process ended ({status}); its log says why"));
                }
                Err(error) => return Err(format!("the new process cannot be watched: {error}")),
            }
        }
    }

    /// Lets the process take over. If that fails, this gateway continues to serve.
    pub(super) fn take_over(mut self, parts: &Parts) -> Result<Replaced, String> {
        let mut shares = false;
        let outcome = self.hand_over(parts, &mut shares);
        let Err(error) = outcome else {
            return Ok(Replaced { process: self.process.id(), _channel: self.channel });
        };
        let reason = match error {
            ChannelError::Failed(reason) => reason,
            ChannelError::Io(error) if is_timeout(&error) => too_late(),
            ChannelError::Io(error) => match self.process.try_wait() {
                Ok(Some(status)) => format!("the new process ended ({status}); its log says why"),
                _ => format!("the connection to the new process broke: {error}"),
            },
        };
        end(&mut self.process);
        parts.keeper.resume();
        if shares {
            parts.stored.unshare();
        }
        Err(reason)
    }

    fn hand_over(&self, parts: &Parts, shares: &mut bool) -> Result<(), ChannelError> {
        self.channel.set_timeout(Some(START))?;
        match &*self.channel.receive()? {
            "take 1" => {}
            other => return Err(ChannelError::Failed(format!("the new process sent {other:?}"))),
        }
        // The new process must read a complete state.
        parts.keeper.hand_over();
        let lock = parts.stored.share().map_err(|error| self.refuse(error.to_string()))?;
        *shares = true;
        parts.sockets.pass(|sockets| {
            if sockets.is_empty() {
                return Err(self.refuse("this gateway is ending".to_owned()));
            }
            if let Some(lock) = lock {
                self.channel.send(&format!("give-with-journal {}", sockets.len()))?;
                self.channel.send_descriptors(&[lock.as_fd()])?;
            } else {
                self.channel.send(&format!("give {}", sockets.len()))?;
            }
            Ok(self.channel.send_descriptors(sockets)?)
        })?;
        match &*self.channel.receive()? {
            "ready" => {}
            other => return Err(ChannelError::Failed(format!("the new process sent {other:?}"))),
        }
        // No step after this one can fail.
        parts.reloader.retire();
        parts.metrics.notify_one();
        parts.admin.notify_one();
        parts.shutdown.hand_over();
        service_manager::replaced_by(self.process.id());
        // The new process may have ended by now, but it has already accepted connections, so this gateway
        // cannot return.
        let _ = self.channel.send("go");
        Ok(())
    }

    fn refuse(&self, reason: String) -> ChannelError {
        let _ = self.channel.send_failure(&reason);
        ChannelError::Failed(reason)
    }
}

/// A process that has taken over. It detects the end of this process by the end of the connection.
pub(super) struct Replaced {
    pub(super) process: u32,
    _channel: Channel,
}

fn end(process: &mut Child) {
    // The process may have ended by itself.
    let _ = process.kill();
    let _ = process.wait();
}

fn too_late() -> String {
    format!("the new process does not serve within {} s", START.as_secs())
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
