//! The new process's connection to the running gateway.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::channel::{Channel, ChannelError};
use super::{CATCH_UP_EVERY, START, VARIABLE};
use crate::gateway::error::StartError;
use crate::gateway::store::Stored;
use crate::server::InheritedSockets;

/// The gateway that this process replaces.
#[derive(Debug)]
pub(in crate::gateway) struct Predecessor(Channel);

impl Predecessor {
    /// Returns the gateway that has started this process for an upgrade, or `None` if there is none.
    ///
    /// # Errors
    /// Fails if that gateway cannot be reached.
    pub(in crate::gateway) fn of_process() -> Result<Option<Self>, StartError> {
        let Some(path) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let connect = || {
            let channel = Channel::new(UnixStream::connect(&path)?);
            channel.set_timeout(Some(START))?;
            channel.send("successor")?;
            Ok(Self(channel))
        };
        connect().map(Some).map_err(|error: std::io::Error| {
            StartError::system(format!("the running gateway cannot be reached for the upgrade: {error}"))
        })
    }

    /// Receives the listening sockets. Returns the lock of the journal, if the running gateway has one.
    ///
    /// # Errors
    /// Fails if the running gateway does not send them.
    pub(in crate::gateway) fn take(
        &self,
        sockets: &mut InheritedSockets,
    ) -> Result<Option<OwnedFd>, StartError> {
        let mut take = || -> Result<Option<OwnedFd>, ChannelError> {
            self.0.send("take 1")?;
            let answer = self.0.receive()?;
            let mut lock = None;
            let count = match answer.split_once(' ') {
                Some(("give", count)) => count,
                Some(("give-with-journal", count)) => {
                    lock = self.0.receive_descriptors(1)?.pop();
                    count
                }
                _ => return Err(ChannelError::Failed(format!("it answered {answer:?}"))),
            };
            let count = count.parse().map_err(|_| ChannelError::Failed(format!("it answered {answer:?}")))?;
            for socket in self.0.receive_descriptors(count)? {
                sockets.push(TcpListener::from(socket))?;
            }
            Ok(lock)
        };
        take().map_err(|error| match error {
            ChannelError::Io(error) => {
                StartError::system(format!("the running gateway does not pass its sockets on: {error}"))
            }
            ChannelError::Failed(reason) => {
                StartError::system(format!("the running gateway does not pass its sockets on: {reason}"))
            }
        })
    }

    /// Reports that this process cannot take over.
    pub(in crate::gateway) fn report(&self, error: &StartError) {
        // A running gateway that has ended does not need the report.
        let _ = self.0.send_failure(&error.to_string());
    }

    /// Reports that this process accepts connections. Waits until the running gateway has stopped accepting
    /// them.
    pub(in crate::gateway) fn ready(&self) {
        if self.0.send("ready").is_ok() && self.0.receive().is_err() {
            log::warn!("the previous gateway process ended before the upgrade was complete");
        }
    }

    /// Reads what the other gateway writes to the journal until that gateway has ended.
    pub(in crate::gateway) fn follow(&self, stored: &Stored) {
        let _ = self.0.set_timeout(Some(CATCH_UP_EVERY));
        while !self.0.has_ended() {
            stored.catch_up();
        }
        stored.unshare();
        log::info!("the previous gateway process has ended");
    }
}
