//! Finds the gateway, and opens connections to it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::answer::{Answer, Outcome};
use super::encode::encode;
use super::error::SelfTestError;
use super::message::{Message, Protocol, Request};
use super::settings::authority;
use super::stream::Stream;
use super::{http1, http2};
use crate::config::{Host, Origin, Scheme};
use crate::http_client::Trust;

/// The address of the gateway.
pub(super) struct Gateway {
    origin: Origin,
    address: SocketAddr,
    tls: Option<Tls>,
    timeout: Duration,
}

/// How the gateway is reached over TLS.
struct Tls {
    /// Offers HTTP/1.1 alone.
    http1: TlsConnector,
    /// Offers HTTP/2, too.
    http2: TlsConnector,
    name: ServerName<'static>,
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
            Scheme::Https => Some(Tls::new(&origin.host, trust)?),
        };
        Ok(Self { origin: origin.clone(), address, tls, timeout })
    }

    /// Returns the protocols that the gateway speaks.
    ///
    /// # Errors
    /// Fails if it speaks none, or if its certificate is not trusted.
    pub(super) async fn protocols(&self) -> Result<Vec<Protocol>, SelfTestError> {
        let failed = |error: io::Error| {
            let hint = if error.kind() == io::ErrorKind::InvalidData {
                " (-k does not verify certificates)"
            } else {
                ""
            };
            SelfTestError::Failed(format!("cannot connect to {}: {error}{hint}", self.origin))
        };
        if let Some(tls) = &self.tls {
            let stream = timeout(self.timeout, tls.connect(&tls.http2, self.address)).await;
            let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
            let has_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let http2 = has_http2.then_some(Protocol::Http2);
            return Ok([Protocol::Http1].into_iter().chain(http2).collect());
        }
        let mut protocols = Vec::new();
        let host = authority(&self.origin);
        let question =
            Request { scheme: Scheme::Http, method: "OPTIONS", target: b"*", host: &host, fields: &[] };
        let answer = self.exchange(&encode(Protocol::Http1, &question)).await.map_err(failed)?;
        if matches!(answer.outcome, Outcome::Response(_)) {
            protocols.push(Protocol::Http1);
        }
        if self.speaks_http2().await.map_err(failed)? {
            protocols.push(Protocol::Http2);
        }
        if protocols.is_empty() {
            return Err(SelfTestError::Failed(format!("{} speaks neither HTTP/1.1 nor HTTP/2", self.origin)));
        }
        Ok(protocols)
    }

    /// Returns whether the gateway speaks HTTP/2 without TLS: its first frame is SETTINGS (RFC 9113 §3.4).
    async fn speaks_http2(&self) -> io::Result<bool> {
        let mut stream = self.open(Protocol::Http2).await?;
        let mut first = [0; 9];
        let answered = timeout(self.timeout, async {
            stream.write_all(&[http2::PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat()).await?;
            stream.flush().await?;
            stream.read_exact(&mut first).await
        });
        Ok(matches!(answered.await, Ok(Ok(_))) && first.get(3..) == Some(&[4, 0, 0, 0, 0, 0]))
    }

    /// Sends a request on a separate connection, and reads the response.
    ///
    /// # Errors
    /// Fails if the connection cannot be established.
    pub(super) async fn exchange(&self, message: &Message) -> io::Result<Answer> {
        let stream = self.open(message.protocol).await?;
        Ok(match message.protocol {
            Protocol::Http1 => http1::exchange(stream, &message.bytes, self.timeout).await,
            Protocol::Http2 => http2::exchange(stream, message, self.timeout).await,
        })
    }

    async fn open(&self, protocol: Protocol) -> io::Result<Box<dyn Stream>> {
        let open = async {
            io::Result::Ok(match &self.tls {
                None => Box::new(connect(self.address).await?) as Box<dyn Stream>,
                Some(tls) => {
                    let connector = match protocol {
                        Protocol::Http1 => &tls.http1,
                        Protocol::Http2 => &tls.http2,
                    };
                    Box::new(tls.connect(connector, self.address).await?)
                }
            })
        };
        timeout(self.timeout, open).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

impl Tls {
    fn new(host: &Host, trust: &Trust) -> Result<Self, SelfTestError> {
        let name = match host {
            Host::Address(ip) => ServerName::from(*ip),
            Host::Name(name) => ServerName::try_from(name.to_string())
                .map_err(|_| SelfTestError::Usage(format!("{name} cannot be the name in a certificate")))?,
        };
        let config = trust
            .client_config()
            .map_err(|error| SelfTestError::Failed(format!("TLS cannot be set up: {error}")))?;
        let offering = |protocols: &[&str]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self { http1: offering(&["http/1.1"]), http2: offering(&["h2", "http/1.1"]), name })
    }

    async fn connect(
        &self,
        connector: &TlsConnector,
        address: SocketAddr,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        connector.connect(self.name.clone(), connect(address).await?).await
    }
}
