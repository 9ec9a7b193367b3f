//! Opens a connection to a server, for requests and for health probes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use super::io::Io;
use super::own_listener;
use super::resolve::ResolvedAddr;
use super::server::Server;
use crate::tcp::Tcp;

/// Connects to one of the server's addresses, with TLS if the server uses it. The caller enforces the
/// timeout; `within` only divides that time between several addresses.
///
/// # Errors
/// Fails if the name cannot be resolved, no address accepts a connection, or the TLS handshake fails.
pub(crate) async fn dial(server: &Server, within: Duration) -> io::Result<(Io, ResolvedAddr)> {
    if let Some(path) = &server.socket {
        return Ok((Io::Unix(UnixStream::connect(path).await?), ResolvedAddr::fixed()));
    }
    let (stream, address) = server.resolver.connect(within).await?;
    if own_listener::is(&stream) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is the address of the console"));
    }
    stream.set_nodelay(true)?;
    let stream = Tcp::new(stream);
    let io = match &server.tls {
        None => Io::Plain(stream),
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            Io::Tls(Box::new(connector.connect(name.clone(), stream).await?))
        }
    };
    Ok((io, address))
}
