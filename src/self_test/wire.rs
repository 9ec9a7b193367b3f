//! Sends the bytes of a request and reads the response.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::SelfTestError;
use crate::config::{Host, Origin, Scheme};
use crate::http_client::Trust;

/// The maximum number of bytes of a response that are read. The rest of an API's response does not matter.
const MAX_ANSWER: usize = 256 * 1024;

/// The address of the gateway.
pub(super) struct Gateway {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

/// The bytes that were received on a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// Whether the gateway closed the connection before the timeout.
    pub(super) closed: bool,
}

impl Gateway {
    /// Resolves the origin of the gateway.
    pub(super) fn find(
        origin: &Origin,
        remote: bool,
        trust: &Trust,
        timeout: Duration,
    ) -> Result<Self, SelfTestError> {
        let addresses: Vec<SocketAddr> = match &origin.host {
            Host::Address(ip) => vec![SocketAddr::new(*ip, origin.port)],
            Host::Name(name) => (&**name, origin.port)
                .to_socket_addrs()
                .map_err(|error| {
                    SelfTestError::Failed(format!("cannot find the address of {name}: {error}"))
                })?
                .collect(),
        };
        if let Some(other) = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())
            && !remote
        {
            return Err(SelfTestError::Usage(format!(
                "{origin} ({}) is not on the loopback of this machine. A gateway that does not keep its configuration \
                 forwards attacks to its API; --remote tests it anyway.",
                other.ip()
            )));
        }
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut reachable = None;
        for address in addresses {
            match std::net::TcpStream::connect_timeout(&address, timeout) {
                Ok(_) => {
                    reachable = Some(address);
                    break;
                }
                Err(error) => failure = error,
            }
        }
        let address = reachable.ok_or_else(|| {
            SelfTestError::Failed(format!("cannot connect to {origin}: {failure} (is the gateway running?)"))
        })?;
        let tls = match origin.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(tls(&origin.host, trust)?),
        };
        Ok(Self { address, tls, timeout })
    }

    /// Sends a request on a separate connection and reads the response until the connection ends.
    ///
    /// # Errors
    /// Fails if the connection cannot be established.
    pub(super) async fn exchange(&self, request: &[u8]) -> io::Result<Answer> {
        let open = async {
            let tcp = TcpStream::connect(self.address).await?;
            let _ = tcp.set_nodelay(true);
            let stream: Box<dyn Stream> = match &self.tls {
                None => Box::new(tcp),
                Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await?),
            };
            io::Result::Ok(stream)
        };
        let mut stream = timeout(self.timeout, open).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let mut answer = Answer::default();
        // The gateway may respond and close the connection before it has read the whole request.
        let sent = timeout(self.timeout, async {
            stream.write_all(request).await?;
            stream.flush().await
        });
        let _ = sent.await;
        let read = timeout(self.timeout, async {
            let mut buffer = [0; 16 * 1024];
            while answer.bytes.len() < MAX_ANSWER {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => answer.bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                }
            }
        });
        answer.closed = read.await.is_ok();
        Ok(answer)
    }
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

fn tls(host: &Host, trust: &Trust) -> Result<(TlsConnector, ServerName<'static>), SelfTestError> {
    let name = match host {
        Host::Address(ip) => ServerName::from(*ip),
        Host::Name(name) => ServerName::try_from(name.to_string())
            .map_err(|_| SelfTestError::Usage(format!("{name} cannot be the name in a certificate")))?,
    };
    // Without ALPN, the gateway speaks HTTP/1.1.
    let connector =
        trust.connector().map_err(|error| SelfTestError::Failed(format!("TLS cannot be set up: {error}")))?;
    Ok((connector, name))
}
