//! Requests an upgrade of the running gateway from another process.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::START;
use super::channel::{Channel, ChannelError};

/// Asks the gateway that listens on `socket` to start an upgrade, and waits for the result. Returns the new
/// process.
///
/// # Errors
/// Returns the reason why the upgrade failed and the gateway runs as before.
pub(crate) fn request_upgrade(socket: &Path) -> Result<u32, String> {
    let cannot_reach = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no gateway listens on {}: is it running, with this state_dir?", socket.display())
        }
        ErrorKind::PermissionDenied => {
            format!("{} belongs to another user: run this as the gateway's user or as root", socket.display())
        }
        _ => format!("cannot reach the gateway on {}: {error}", socket.display()),
    };
    let channel = Channel::new(UnixStream::connect(socket).map_err(cannot_reach)?);
    // The timeout covers the end of an earlier upgrade. The gateway itself reports a new process that takes
    // too long.
    let ask = || channel.set_timeout(Some(START * 3)).and_then(|()| channel.send("upgrade"));
    ask().map_err(cannot_reach)?;
    match channel.receive() {
        Ok(answer) => match answer.strip_prefix("done ").and_then(|process| process.parse().ok()) {
            Some(process) => Ok(process),
            None => Err(format!("the gateway answered {answer:?}")),
        },
        Err(ChannelError::Failed(reason)) => Err(reason),
        Err(ChannelError::Io(error)) => Err(format!("the gateway does not answer: {error}")),
    }
}
