//! TLS and HTTP/2 clients that accept any certificate, like `curl -k`.

use super::any_certificate::AnyCertificate;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// A client's certificate and its key (PKCS #8), in DER.
pub(crate) struct Identity {
    /// The certificate.
    pub(crate) certificate: Vec<u8>,
    /// The key.
    pub(crate) key: Vec<u8>,
}

fn config_as(alpn: &[&str], identity: Option<&Identity>) -> Arc<ClientConfig> {
    config_of(alpn, identity, rustls::DEFAULT_VERSIONS)
}

fn config_of(
    alpn: &[&str],
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let key = PrivateKeyDer::Pkcs8(key.clone().into());
            builder.with_client_auth_cert(vec![certificate.clone().into()], key).expect("an identity")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Returns the settings of a client that verifies certificates with `ca` (PEM), or not at all.
pub(crate) fn config(alpn: &[&str], ca: Option<&str>) -> Arc<ClientConfig> {
    let Some(ca) = ca else { return config_as(alpn, None) };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("a certificate")).expect("an authority");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Opens a blocking TLS stream and completes the handshake.
#[track_caller]
pub(crate) fn connect(tcp: TcpStream, alpn: &[&str]) -> StreamOwned<ClientConnection, TcpStream> {
    connect_as(tcp, alpn, None)
}

/// Opens a blocking TLS stream, with a certificate if the server requests one.
#[track_caller]
pub(crate) fn connect_as(
    tcp: TcpStream,
    alpn: &[&str],
    identity: Option<&Identity>,
) -> StreamOwned<ClientConnection, TcpStream> {
    handshake(tcp, config_as(alpn, identity)).expect("a TLS handshake")
}

fn handshake(
    tcp: TcpStream,
    config: Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let connection = ClientConnection::new(config, name()).expect("a TLS client");
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// A client with a certificate that keeps its TLS sessions, so that its next connections resume them.
pub(crate) struct Sessions(Arc<ClientConfig>);

impl Sessions {
    /// Creates a client without sessions, which speaks one version of TLS, and HTTP/1.1.
    pub(crate) fn new(identity: &Identity, version: &'static SupportedProtocolVersion) -> Self {
        Self(config_of(&["http/1.1"], Some(identity), &[version]))
    }

    /// Completes a handshake.
    pub(crate) fn connect(&self, tcp: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        handshake(tcp, Arc::clone(&self.0))
    }
}

/// Returns the protocol that the gateway selects from those offered.
#[track_caller]
pub(crate) fn negotiated(address: SocketAddr, alpn: &[&str]) -> Option<String> {
    let stream = connect(TcpStream::connect(address).expect("a connection"), alpn);
    stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
}

/// Opens an asynchronous TLS stream that offers only `h2`.
pub(crate) async fn connect_h2(
    address: SocketAddr,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    connect_h2_as(address, None).await
}

async fn connect_h2_as(
    address: SocketAddr,
    identity: Option<&Identity>,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let tcp = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let connector = tokio_rustls::TlsConnector::from(config_as(&["h2"], identity));
    connector.connect(name(), tcp).await.expect("a TLS handshake")
}

/// A request body: complete, or in parts that the test sends one by one.
type Sent = BoxBody<bytes::Bytes, std::convert::Infallible>;

/// Returns the certificate of the server in a new handshake.
#[track_caller]
pub(crate) fn shown(address: SocketAddr) -> Vec<u8> {
    let stream = connect(TcpStream::connect(address).expect("a connection"), &["http/1.1"]);
    stream.conn.peer_certificates().and_then(|chain| chain.first()).expect("a certificate").to_vec()
}

/// An HTTP/2 connection.
#[derive(Clone)]
pub(crate) struct H2(hyper::client::conn::http2::SendRequest<Sent>);

impl H2 {
    /// Connects over TLS, offering only `h2`.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_as(address, None).await
    }

    /// Connects over TLS, with a certificate if the server requests one.
    pub(crate) async fn connect_as(address: SocketAddr, identity: Option<&Identity>) -> Self {
        let stream = connect_h2_as(address, identity).await;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("an HTTP/2 handshake");
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a request and reads the complete response.
    pub(crate) async fn request(&mut self, request: Request<Full<bytes::Bytes>>) -> Response<bytes::Bytes> {
        let shown = format!("{request:?}");
        let (parts, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap_or_else(|e| panic!("no body: {e}\n{shown}\n{parts:?}"));
        Response::from_parts(parts, body.to_bytes())
    }

    /// Returns whether the server has ended the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sends a request and returns the response as soon as its head has arrived.
    pub(crate) async fn open<B>(&mut self, request: Request<B>) -> Response<hyper::body::Incoming>
    where
        B: hyper::body::Body<Data = bytes::Bytes, Error = std::convert::Infallible> + Send + Sync + 'static,
    {
        let (parts, body) = request.into_parts();
        let shown = format!("{parts:?}");
        let request = Request::from_parts(parts, BoxBody::new(body));
        self.0.send_request(request).await.unwrap_or_else(|e| panic!("no answer: {e}\n{shown}"))
    }
}
