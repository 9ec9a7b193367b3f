//! Listening sockets that another process has opened: the service manager, or the gateway process that this
//! one replaces.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

/// Listening sockets, by the address that they listen on.
#[derive(Debug, Default)]
pub(crate) struct InheritedSockets {
    /// The sockets in the order in which they were received. Several sockets can share an address
    /// (`SO_REUSEPORT`).
    sockets: Vec<(SocketAddr, TcpListener)>,
}

impl InheritedSockets {
    /// Takes the sockets that a service manager has opened for this process (`LISTEN_FDS`, systemd's socket
    /// activation).
    ///
    /// It must be called before other threads run, because it removes the variables from the environment.
    ///
    /// # Errors
    /// Fails if one of the descriptors is not a listening TCP socket.
    pub(crate) fn from_service_manager() -> io::Result<Self> {
        let mut descriptors = ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..descriptors.len() {
            if let Some(socket) = descriptors.take_tcp_listener(index)? {
                sockets.push(socket)?;
            }
        }
        Ok(sockets)
    }

    /// Adds a socket.
    ///
    /// # Errors
    /// Fails if the socket does not listen, or if its address is neither IPv4 nor IPv6.
    pub(crate) fn push(&mut self, socket: TcpListener) -> io::Result<()> {
        if !rustix::net::sockopt::socket_acceptconn(&socket)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
        }
        self.sockets.push((socket.local_addr()?, socket));
        Ok(())
    }

    /// Takes the sockets of an address. Port 0 matches the first remaining address with the same IP address,
    /// so listeners with a fixed port must be handled first.
    pub(crate) fn take(&mut self, wanted: SocketAddr) -> Vec<TcpListener> {
        let found = self.sockets.iter().map(|(addr, _)| *addr);
        let Some(addr) = found.into_iter().find(|addr| is_meant(*addr, wanted)) else { return Vec::new() };
        self.sockets.extract_if(.., |(of_socket, _)| *of_socket == addr).map(|(_, socket)| socket).collect()
    }

    /// Returns the addresses whose sockets have not been taken.
    pub(crate) fn left(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|(addr, _)| *addr)
    }
}

fn is_meant(addr: SocketAddr, wanted: SocketAddr) -> bool {
    addr.ip() == wanted.ip() && (wanted.port() == 0 || addr.port() == wanted.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_taken_by_their_address() {
        let mut inherited = InheritedSockets::default();
        let sockets: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addrs: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        for socket in sockets {
            inherited.push(socket.try_clone().unwrap()).unwrap();
            inherited.push(socket).unwrap();
        }
        assert!(inherited.take("127.0.0.2:0".parse().unwrap()).is_empty());
        assert!(inherited.take(SocketAddr::new("0.0.0.0".parse().unwrap(), addrs[1].port())).is_empty());
        assert_eq!(inherited.take(addrs[1]).len(), 2);
        assert!(inherited.take(addrs[1]).is_empty());
        assert_eq!(inherited.left().collect::<Vec<_>>(), [addrs[0]; 2]);
        let any = inherited.take("127.0.0.1:0".parse().unwrap());
        assert_eq!(any.iter().map(|socket| socket.local_addr().unwrap()).collect::<Vec<_>>(), [addrs[0]; 2]);
    }

    #[test]
    fn a_socket_that_does_not_listen_is_refused() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let error = InheritedSockets::default().push(socket.into()).unwrap_err();
        assert_eq!(error.to_string(), "the socket does not listen");
    }
}
