//! Connections to the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tally::Fault;

/// For a connection, TLS included.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where the gateway is.
#[derive(Clone)]
pub(crate) struct Destination {
    /// The one address that is loaded, whatever the name means later.
    pub(crate) address: SocketAddr,
    /// Its name and whom to trust, where TLS is spoken.
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    /// HTTP/2 rather than HTTP/1.1.
    pub(crate) http2: bool,
}

impl Destination {
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, Fault> {
        match timeout(PATIENCE, self.open()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::Connect),
        }
    }

    async fn open(&self) -> Result<Box<dyn Stream>, Fault> {
        let tcp = TcpStream::connect(self.address).await.map_err(|_| Fault::Connect)?;
        let _ = tcp.set_nodelay(true);
        match &self.tls {
            None => Ok(Box::new(tcp)),
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await.map_err(|_| Fault::Handshake)?;
                Ok(Box::new(tls))
            }
        }
    }
}
