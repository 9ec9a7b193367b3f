//! One GET of a key set, bounded in time and size. Redirects are not followed: keys come from where the configuration says.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::oauth::jose::{Jwks, JwksError};

/// The whole of it, from the name's lookup to the last byte.
const LIMIT: Duration = Duration::from_secs(5);
/// The largest response head.
const MAX_HEAD: usize = 16 * 1024;

/// Why there are no keys.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// The URL is not https (or http on loopback), or names no host.
    Url,
    /// The server cannot be reached, or does not prove to be the one the URL names.
    Connect(io::Error),
    /// It is reached, and speaks no HTTP.
    Http(hyper::Error),
    /// It answers with another status than 200.
    Status(StatusCode),
    /// Its answer is longer than [`Jwks::MAX_LENGTH`].
    TooLarge,
    /// Its answer breaks off.
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// Its answer is no set of keys.
    Keys(JwksError),
    /// It took longer than 5 s.
    TooSlow,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the URL must be https://, or http:// on loopback"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Http(error) => write!(f, "no HTTP answer: {error}"),
            Self::Status(status) => write!(f, "the answer is {status}, and not 200"),
            Self::TooLarge => write!(f, "the answer is longer than {} bytes", Jwks::MAX_LENGTH),
            Self::Broken(error) => write!(f, "the answer broke off: {error}"),
            Self::Keys(error) => error.fmt(f),
            Self::TooSlow => write!(f, "no answer within {} s", LIMIT.as_secs()),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Broken(error) => Some(&**error),
            Self::Keys(error) => Some(error),
            Self::Url | Self::Status(_) | Self::TooLarge | Self::TooSlow => None,
        }
    }
}

/// TLS with the machine's own trust, as curl and browsers have it.
pub(super) fn connector() -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The keys at `url`.
pub(super) async fn get(url: &str, tls: &TlsConnector) -> Result<Jwks, FetchError> {
    match tokio::time::timeout(LIMIT, get_unbounded(url, tls)).await {
        Ok(fetched) => fetched,
        Err(_) => Err(FetchError::TooSlow),
    }
}

async fn get_unbounded(url: &str, tls: &TlsConnector) -> Result<Jwks, FetchError> {
    let url: Uri = url.parse().map_err(|_| FetchError::Url)?;
    let https = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(FetchError::Url),
    };
    let host = url.host().ok_or(FetchError::Url)?.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await.map_err(FetchError::Connect)?;
    if https {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Url)?;
        let stream = tls.connect(name, tcp).await.map_err(FetchError::Connect)?;
        ask(&url, stream).await
    } else if tcp.peer_addr().map_err(FetchError::Connect)?.ip().to_canonical().is_loopback() {
        ask(&url, tcp).await
    } else {
        // Whoever sits in between could put keys of their own there.
        Err(FetchError::Url)
    }
}

async fn ask<S>(url: &Uri, stream: S) -> Result<Jwks, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(FetchError::Http)?;
    // Ends with this call, however it ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
        .header(HOST, url.authority().map_or("", http::uri::Authority::as_str))
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, "tollgate")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Url)?;
    let answer = sender.send_request(request).await.map_err(FetchError::Http)?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let body = match Limited::new(answer.into_body(), Jwks::MAX_LENGTH).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(FetchError::TooLarge),
        Err(error) => return Err(FetchError::Broken(error)),
    };
    Jwks::parse(&body).map_err(FetchError::Keys)
}
