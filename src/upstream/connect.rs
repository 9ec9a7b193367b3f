//! A connection to a server, for requests and probes alike.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsConnector;

use super::io::Io;
use super::resolve::ResolvedAddr;
use super::server::Server;

/// Connects to one of the server's addresses, with TLS where it has that. How long the whole may take is the caller's
/// business; `within` only shares that time out between several addresses.
///
/// # Errors
/// The name is not known, no address takes a connection, or the handshake fails.
pub(crate) async fn dial(server: &Server, within: Duration) -> io::Result<(Io, ResolvedAddr)> {
    let (stream, place) = server.resolver.connect(within).await?;
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
