//! A connection to a server, for requests and probes alike.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio_rustls::TlsConnector;

use super::io::Io;
use super::resolve::Place;
use super::upstream::Server;

/// Whether a connection failed for want of something here: that says nothing of the server.
pub(super) fn is_our_own(error: &io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}

/// Connects to one of the server's addresses, with TLS where it has that. How long the whole may take is the caller's
/// business; `within` only shares that time out between several addresses.
///
/// # Errors
/// The name is not known, no address takes a connection, or the handshake fails.
pub(super) async fn dial(server: &Server, within: Duration) -> io::Result<(Io, Place)> {
    let (stream, place) = server.site.connect(within).await?;
    stream.set_nodelay(true)?;
    let io = match &server.tls {
        None => Io::Plain(stream),
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            Io::Tls(Box::new(connector.connect(name.clone(), stream).await?))
        }
    };
    Ok((io, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_is_not_the_server_s_fault() {
        assert!(is_our_own(&Errno::MFILE.into()) && is_our_own(&Errno::ADDRNOTAVAIL.into()));
        assert!(!is_our_own(&Errno::CONNREFUSED.into()) && !is_our_own(&io::ErrorKind::TimedOut.into()));
    }
}
