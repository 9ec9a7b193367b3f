//! One request and its response, on their own connection.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::Error as TlsError;

use crate::http_client::error::HttpError;
use crate::http_client::trust::Trust;

/// The largest response head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The servers to which a request may be sent without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    /// Any server.
    Allowed,
    /// Servers on this machine only.
    OnLoopback,
}

/// The limits of an exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The timeout of the whole exchange, from the lookup of the name to the last byte.
    pub(crate) time: Duration,
    /// The longest response body, in bytes.
    pub(crate) body: usize,
    pub(crate) plain_http: PlainHttp,
    /// Returns whether the server of a name may have this address. A URL with an address is not asked about:
    /// only the configuration itself names it.
    pub(crate) accepts: fn(IpAddr) -> bool,
}

/// Sends requests. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct HttpClient {
    tls: TlsConnector,
    bounds: Bounds,
}

impl HttpClient {
    /// Creates a client that verifies servers as `trust` says.
    ///
    /// # Errors
    /// Fails if TLS cannot be set up.
    pub(crate) fn new(trust: &Trust, bounds: Bounds) -> Result<Self, TlsError> {
        Ok(Self { tls: trust.connector()?, bounds })
    }

    /// Sends a request to the absolute URL that it has, and returns the whole response.
    ///
    /// # Errors
    /// [`HttpError`] if there is no complete response within the bounds. A status is never an error.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, HttpError> {
        match tokio::time::timeout(self.bounds.time, self.connect_and_send(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpError::TimedOut(self.bounds.time)),
        }
    }

    async fn connect_and_send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, HttpError> {
        let Destination { tls, host, port, host_header } = Destination::of(request.uri())?;
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        request.headers_mut().insert(HOST, host_header);
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static("tollgate"));
        let tcp = self.connect(&host, port).await?;
        if tls {
            let name = ServerName::try_from(host).map_err(|_| HttpError::Url)?;
            let stream = self.tls.connect(name, tcp).await.map_err(HttpError::Tls)?;
            return exchange(stream, request, self.bounds.body).await;
        }
        let is_loopback = tcp.peer_addr().map_err(HttpError::Connect)?.ip().to_canonical().is_loopback();
        // Anyone between this machine and another one could change a response without TLS.
        if self.bounds.plain_http == PlainHttp::OnLoopback && !is_loopback {
            return Err(HttpError::PlainHttp);
        }
        exchange(tcp, request, self.bounds.body).await
    }

    /// Connects to the first address of a host that accepts the connection.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, HttpError> {
        let is_name = host.parse::<IpAddr>().is_err();
        let mut failure = HttpError::Connect(io::ErrorKind::NotFound.into());
        for address in lookup_host((host, port)).await.map_err(HttpError::Connect)? {
            if is_name && !(self.bounds.accepts)(address.ip()) {
                failure = HttpError::Address { name: host.to_owned(), address: address.ip() };
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = HttpError::Connect(error),
            }
        }
        Err(failure)
    }
}

/// The destination of a URL.
struct Destination {
    tls: bool,
    /// The name or address, an IPv6 address without its brackets.
    host: String,
    port: u16,
    host_header: HeaderValue,
}

impl Destination {
    fn of(url: &Uri) -> Result<Self, HttpError> {
        let tls = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(HttpError::Url),
        };
        let authority = url.authority().ok_or(HttpError::Url)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        // User information is not part of a Host header.
        let host_header = authority.as_str().rsplit('@').next().unwrap_or_default();
        let host_header = HeaderValue::from_str(host_header).map_err(|_| HttpError::Url)?;
        if host.is_empty() { Err(HttpError::Url) } else { Ok(Self { tls, host, port, host_header }) }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    max_body: usize,
) -> Result<Response<Bytes>, HttpError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::Http)?;
    let response = async {
        let (head, body) = sender.send_request(request).await.map_err(HttpError::Http)?.into_parts();
        let body = Limited::new(body, max_body).collect().await.map_err(|error| {
            match error.downcast::<hyper::Error>() {
                Ok(error) => HttpError::Http(*error),
                Err(error) => {
                    debug_assert!(error.is::<LengthLimitError>(), "the only other error of `Limited`");
                    HttpError::TooLarge(max_body)
                }
            }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    tokio::pin!(response, connection);
    tokio::select! {
        biased;
        response = &mut response => response,
        // The connection may end first. The body's channel then has everything that was read for the
        // response.
        ended = &mut connection => match ended {
            Ok(()) => response.await,
            Err(error) => Err(HttpError::Http(error)),
        },
    }
}
