//! Sends and receives lines and file descriptors over a Unix socket.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The maximum number of descriptors in one message. Linux allows 253.
const PER_MESSAGE: usize = 64;
/// The maximum number of descriptors that one upgrade passes on.
const MOST: usize = 65_536;
const LONGEST_LINE: usize = 256;
const LONGEST_REASON: u64 = 64 * 1024;

/// One end of a connection between two processes of this user.
#[derive(Debug)]
pub(super) struct Channel(UnixStream);

/// The reason why the other end did not send the expected message.
#[derive(Debug)]
pub(super) enum ChannelError {
    /// The connection was closed or failed, or the other end did not send in time.
    Io(io::Error),
    /// The other process reports that it failed for this reason.
    Failed(String),
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Returns the process and the user at the other end.
    pub(super) fn peer(&self) -> io::Result<(u32, u32)> {
        let peer = rustix::net::sockopt::socket_peercred(&self.0)?;
        Ok((peer.pid.as_raw_nonzero().get().cast_unsigned(), peer.uid.as_raw()))
    }

    /// Sets the timeout of each read and each write.
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        // A timeout of zero is an error.
        let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
        self.0.set_read_timeout(timeout)?;
        self.0.set_write_timeout(timeout)
    }

    pub(super) fn send(&self, line: &str) -> io::Result<()> {
        (&self.0).write_all(format!("{line}\n").as_bytes())
    }

    /// Reports why this process fails. Nothing can be sent after that.
    pub(super) fn send_failure(&self, reason: &str) -> io::Result<()> {
        self.send("failed")?;
        (&self.0).write_all(reason.as_bytes())?;
        self.0.shutdown(std::net::Shutdown::Write)
    }

    /// Receives a line. It is read byte by byte, because the descriptors are attached to the byte after it.
    pub(super) fn receive(&self) -> Result<String, ChannelError> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            (&self.0).read_exact(&mut byte)?;
            match byte {
                [b'\n'] => break,
                _ if line.len() >= LONGEST_LINE => return Err(io::Error::from(ErrorKind::InvalidData).into()),
                [byte] => line.push(byte),
            }
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        if line == "failed" {
            let mut reason = Vec::new();
            (&self.0).take(LONGEST_REASON).read_to_end(&mut reason)?;
            return Err(ChannelError::Failed(String::from_utf8_lossy(&reason).trim_end().to_owned()));
        }
        Ok(line)
    }

    /// Waits until the other end closes the connection, at most for the timeout. Returns whether it was
    /// closed.
    pub(super) fn has_ended(&self) -> bool {
        match (&self.0).read(&mut [0]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => {
                !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
            }
        }
    }

    pub(super) fn send_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        for some in descriptors.chunks(PER_MESSAGE) {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(some)) {
                return Err(ErrorKind::InvalidInput.into());
            }
            sendmsg(self.0.as_fd(), &[IoSlice::new(b"+")], &mut control, SendFlags::NOSIGNAL)?;
        }
        Ok(())
    }

    /// Receives `count` descriptors.
    pub(super) fn receive_descriptors(&self, count: usize) -> io::Result<Vec<OwnedFd>> {
        if count > MOST {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut descriptors = Vec::new();
        while descriptors.len() < count {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let (mut byte, before) = ([0], descriptors.len());
            let flags = RecvFlags::CMSG_CLOEXEC;
            let message = recvmsg(self.0.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(some) = message {
                    descriptors.extend(some);
                }
            }
            if message.bytes == 0 || descriptors.len() == before {
                // The system drops descriptors if this process cannot open more.
                return Err(io::Error::other("descriptors are missing: is the limit of open files too low?"));
            }
        }
        Ok(descriptors)
    }
}

impl From<io::Error> for ChannelError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;

    use super::*;

    fn pair() -> (Channel, Channel) {
        let (one, other) = UnixStream::pair().unwrap();
        (Channel::new(one), Channel::new(other))
    }

    #[test]
    fn descriptors_cross_in_as_many_messages_as_needed_between_two_lines() {
        let (one, other) = pair();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        for count in [0, 1, PER_MESSAGE, PER_MESSAGE * 2 + 1] {
            one.send(&format!("give {count}")).unwrap();
            one.send_descriptors(&vec![socket.as_fd(); count]).unwrap();
            one.send("after").unwrap();
            assert_eq!(other.receive().unwrap(), format!("give {count}"));
            let received = other.receive_descriptors(count).unwrap();
            assert_eq!(received.len(), count);
            for descriptor in received {
                assert_eq!(TcpListener::from(descriptor).local_addr().unwrap(), socket.local_addr().unwrap());
            }
            assert_eq!(other.receive().unwrap(), "after");
        }
    }

    #[test]
    fn a_failure_arrives_whole_and_a_missing_descriptor_is_noticed() {
        let (one, other) = pair();
        one.send("nothing is attached").unwrap();
        assert!(other.receive_descriptors(1).is_err());
        let (one, other) = pair();
        one.send_failure("line 3: this is wrong\nline 5: this too\n").unwrap();
        assert!(
            matches!(other.receive(), Err(ChannelError::Failed(reason)) if reason == "line 3: this is wrong\nline 5: this too")
        );
        drop(one);
        assert!(other.has_ended());
    }

    #[test]
    fn the_peer_of_a_channel_is_this_process() {
        let (one, _other) = pair();
        assert_eq!(one.peer().unwrap(), (std::process::id(), rustix::process::geteuid().as_raw()));
    }
}
