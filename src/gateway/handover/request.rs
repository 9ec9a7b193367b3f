//! How another process asks the running gateway for an upgrade.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::START;
use super::channel::{Channel, ChannelError};

/// Asks the gateway that listens on `socket` to let a new process take over, and waits for that. Returns the new process.
///
/// # Errors
/// The reason why the gateway still runs as before.
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
    // The gateway may first have to wait for the end of an earlier upgrade, and reports a new process that takes too long.
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
