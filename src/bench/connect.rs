//! Connections to the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tally::Fault;

/// How long a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where the gateway is.
#[derive(Clone)]
pub(crate) struct Destination {
    /// The address. It is resolved once, so that all load goes to the same address.
    pub(crate) address: SocketAddr,
    /// The name in the certificate and how it is verified, if the gateway uses TLS.
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Whether HTTP/2 is used instead of HTTP/1.1.
    pub(crate) http2: bool,
}

impl Destination {
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, Fault> {
        match timeout(CONNECT_TIMEOUT, self.open()).await {
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
