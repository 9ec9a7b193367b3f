//! The load: requests on one connection, so many of them in flight.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::any_certificate::AnyCertificate;
use crate::server::{CPU, LENGTH};
use crate::{Failure, Protocol};

/// What is sent, and where.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) in_flight: usize,
    pub(crate) requests: usize,
}

/// A connection. Its clones send on the same one.
#[derive(Clone)]
enum Connection {
    Http2(http2::SendRequest<Empty<Bytes>>),
    Http3(h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>),
}

/// Sends the requests, and returns the processor time of the server in nanoseconds.
pub(crate) async fn run(protocol: Protocol, load: Load) -> Result<u64, Failure> {
    let mut connection = match protocol {
        Protocol::Http2 => Connection::http2(load.address).await?,
        Protocol::Http3 => Connection::http3(load.address).await?,
    };
    let before = cpu(&mut connection, &load).await?;
    let (load, left) = (Arc::new(load), Arc::new(AtomicUsize::new(0)));
    left.store(load.requests, Relaxed);
    let mut senders = JoinSet::new();
    for _ in 0..load.in_flight {
        let (mut connection, load, left) = (connection.clone(), Arc::clone(&load), Arc::clone(&left));
        senders.spawn(async move {
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let body = connection.send(request(&load, "/hello")?).await?;
                assert_eq!(body.len(), LENGTH, "the response of the handler");
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    Ok(cpu(&mut connection, &load).await? - before)
}

fn request(load: &Load, path: &str) -> Result<Request<()>, Failure> {
    let request = Request::get(format!("https://localhost:{}{path}", load.address.port()));
    Ok(request.header("authorization", format!("Bearer {}", load.token)).body(())?)
}

async fn cpu(connection: &mut Connection, load: &Load) -> Result<u64, Failure> {
    let body = connection.send(request(load, CPU)?).await?;
    Ok(std::str::from_utf8(&body)?.parse()?)
}

impl Connection {
    async fn http2(address: SocketAddr) -> Result<Self, Failure> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::new(tls(b"h2")?)).connect(name, tcp).await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http2(sender))
    }

    async fn http3(address: SocketAddr) -> Result<Self, Failure> {
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
        let crypto = QuicClientConfig::try_from(tls(b"h3")?)?;
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        let connection = endpoint.connect(address, "localhost")?.await?;
        let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(connection)).await?;
        tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
        Ok(Self::Http3(sender))
    }

    /// Sends one request and returns the body of its response, which must be successful.
    async fn send(&mut self, request: Request<()>) -> Result<Bytes, Failure> {
        let (status, body) = match self {
            Self::Http2(sender) => {
                sender.ready().await?;
                let response = sender.send_request(request.map(|()| Empty::new())).await?;
                (response.status(), response.into_body().collect().await?.to_bytes())
            }
            Self::Http3(sender) => {
                let mut stream = sender.send_request(request).await?;
                stream.finish().await?;
                let status = stream.recv_response().await?.status();
                let mut body = BytesMut::new();
                while let Some(mut part) = stream.recv_data().await? {
                    let length = part.remaining();
                    body.extend_from_slice(&part.copy_to_bytes(length));
                }
                (status, body.freeze())
            }
        };
        if status == StatusCode::OK { Ok(body) } else { Err(format!("status {status}").into()) }
    }
}

/// The certificate of the server is new at each start, so any certificate is accepted.
fn tls(alpn: &[u8]) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}
