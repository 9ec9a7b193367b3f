//! A single health probe of a server.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::{HealthCheck, Kind};
use crate::config::ExpectedStatus;
use crate::tasks::Executor;
use crate::upstream::connect::dial;
use crate::upstream::group::Upstream;
use crate::upstream::io::Io;
use crate::upstream::server::Server;

/// The largest response head accepted.
const MAX_HEAD: usize = 16 * 1024;

/// Why a probe failed. Its text goes to the log, so it contains nothing the server wrote except the status.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum ProbeError {
    /// The connection could not be established.
    Connect(io::Error),
    /// There was no response, or it is not HTTP.
    NoResponse(hyper::Error),
    /// The status is not the expected one.
    Status(StatusCode, ExpectedStatus),
    /// The probe exceeded this timeout.
    Timeout(Duration),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::NoResponse(error) if error.is_parse() => write!(f, "the response is not HTTP: {error}"),
            Self::NoResponse(error) => write!(f, "no response: {error}"),
            Self::Status(status, expected) => {
                write!(f, "status {} instead of {expected}", status.as_u16())
            }
            Self::Timeout(timeout) => write!(f, "no response within {timeout:?}"),
        }
    }
}

/// Probes a server the way requests reach it: with the same address, TLS, server name, protocol and
/// credentials.
pub(crate) async fn probe(
    upstream: &Upstream,
    server: &Server,
    check: &HealthCheck,
) -> Result<(), ProbeError> {
    match timeout(check.timeout, run(upstream, server, check)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ProbeError::Timeout(check.timeout)),
    }
}

async fn run(upstream: &Upstream, server: &Server, check: &HealthCheck) -> Result<(), ProbeError> {
    let (io, _) = dial(server, check.timeout).await.map_err(ProbeError::Connect)?;
    match &check.kind {
        Kind::Tcp => Ok(()),
        Kind::Http { target, expected } => {
            let status = get(io, upstream, server, target).await.map_err(ProbeError::NoResponse)?;
            if expected.contains(status) { Ok(()) } else { Err(ProbeError::Status(status, expected.clone())) }
        }
    }
}

/// Sends the request and returns the status of the response. The body is never read, and the connection is
/// closed.
async fn get(io: Io, upstream: &Upstream, server: &Server, target: &Uri) -> Result<StatusCode, hyper::Error> {
    let mut request = Request::new(Empty::<Bytes>::new());
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("tollgate-health-check"));
    if let Some((name, value)) = &upstream.credentials {
        headers.insert(name, value.clone());
    }
    let io = TokioIo::new(io);
    if upstream.http2 {
        let scheme = if server.tls.is_some() { "https" } else { "http" };
        let mut parts = target.clone().into_parts();
        parts.scheme = scheme.parse().ok();
        parts.authority = upstream.probe_host(server).parse().ok();
        if let Ok(target) = Uri::from_parts(parts) {
            *request.uri_mut() = target;
        }
        let (mut sender, connection) = http2::Builder::new(Executor)
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD as u32)
            .handshake(io)
            .await?;
        return response_status(sender.send_request(request), connection).await;
    }
    *request.uri_mut() = target.clone();
    if let Ok(host) = HeaderValue::try_from(upstream.probe_host(server)) {
        request.headers_mut().insert(HOST, host);
    }
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let (mut sender, connection) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(io).await?;
    response_status(sender.send_request(request), connection).await
}

/// Drives the connection until the head of the response arrives.
async fn response_status<B>(
    response: impl Future<Output = Result<http::Response<B>, hyper::Error>>,
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> Result<StatusCode, hyper::Error> {
    let (mut response, mut connection) = (std::pin::pin!(response), std::pin::pin!(connection));
    tokio::select! {
        biased;
        response = &mut response => response.map(|response| response.status()),
        // The connection may end after it delivered the response: the response future knows.
        _ = &mut connection => response.await.map(|response| response.status()),
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Meter;
    use std::convert::Infallible;
    use std::net::SocketAddr;
    use std::num::NonZeroU32;
    use std::sync::{Arc, Mutex};

    use http::{Response, Version};
    use hyper::service::service_fn;
    use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

    use super::*;
    use crate::config::{Balance, ExpectedStatus};
    use crate::upstream::group::UpstreamSpec;
    use crate::upstream::health::status::Thresholds;

    fn check() -> HealthCheck {
        HealthCheck {
            kind: Kind::Http {
                target: "/health?deep=1".parse().unwrap(),
                expected: ExpectedStatus::Range(200, 299),
            },
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            thresholds: Thresholds { healthy_after: NonZeroU32::MIN, unhealthy_after: NonZeroU32::MIN },
        }
    }

    fn upstream(server: Server, http2: bool) -> Upstream {
        Upstream::new(UpstreamSpec {
            name: "a".to_owned(),
            meter: Arc::new(Meter::new("a", 1)),
            servers: vec![(server, 1)],
            balance: Balance::RoundRobin,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            total_timeout: None,
            in_flight: None,
            health_check: Some(check()),
            ejection: None,
            retry_budget: None,
            retries: 1,
            credentials: Some(("x-api-key".parse().unwrap(), HeaderValue::from_static("k3y"))),
            host: crate::config::UpstreamHost::Preserve,
            base_path: "".into(),
            http2,
        })
        .unwrap()
    }

    async fn probed(server: Server, http2: bool) -> Result<(), ProbeError> {
        let upstream = upstream(server, http2);
        probe(&upstream, &upstream.servers()[0], &check()).await
    }

    type Seen = Arc<Mutex<Vec<(Version, String, String, String)>>>;

    /// Starts an HTTP/2 server that responds with 204. Returns the version, scheme, authority and path of
    /// each request.
    async fn http2_server() -> (SocketAddr, Seen) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let record = Arc::clone(&record);
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let uri = request.uri();
                    let scheme = uri.scheme_str().unwrap_or("").to_owned();
                    let authority = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
                    let key = request.headers()["x-api-key"].to_str().unwrap();
                    let path = format!("{uri} {key}");
                    record.lock().unwrap().push((request.version(), scheme, authority, path));
                    let mut response = Response::new(Empty::<Bytes>::new());
                    *response.status_mut() = StatusCode::NO_CONTENT;
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(Executor)
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        (address, seen)
    }

    #[tokio::test]
    async fn an_http2_upstream_is_probed_over_http2() {
        let (address, seen) = http2_server().await;
        probed(Server::alone("127.0.0.1", address.port()), true).await.unwrap();
        let expected = (
            Version::HTTP_2,
            "http".to_owned(),
            address.to_string(),
            format!("http://{address}/health?deep=1 k3y"),
        );
        assert_eq!(*seen.lock().unwrap(), [expected]);
        let error = probed(Server::alone("127.0.0.1", address.port()), false).await.unwrap_err();
        assert!(matches!(error, ProbeError::NoResponse(_)), "{error}");
    }

    /// Starts a server with a certificate for `orders.internal`. Returns the server names (SNI) that clients
    /// sent.
    async fn tls_server() -> (SocketAddr, CertificateDer<'static>, Arc<Mutex<Vec<String>>>) {
        let pair = rcgen::generate_simple_self_signed(["orders.internal".to_owned()]).unwrap();
        let certificate = pair.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, names) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&names));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                seen.lock().unwrap().push(stream.get_ref().1.server_name().unwrap_or("").to_owned());
                let service =
                    service_fn(|_| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        (address, certificate, names)
    }

    #[tokio::test]
    async fn a_probe_uses_the_tls_settings_and_server_name_of_requests() {
        let (address, certificate, names) = tls_server().await;
        let tls = |trusted: &[&CertificateDer<'static>], name: &'static str| {
            let mut roots = RootCertStore::empty();
            trusted.iter().for_each(|certificate| roots.add((*certificate).clone()).unwrap());
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let mut server = Server::alone("127.0.0.1", address.port());
            server.tls = Some((Arc::new(config), ServerName::try_from(name).unwrap()));
            server
        };
        probed(tls(&[&certificate], "orders.internal"), false).await.unwrap();
        assert_eq!(*names.lock().unwrap(), ["orders.internal"]);
        for server in [tls(&[], "orders.internal"), tls(&[&certificate], "another.internal")] {
            let error = probed(server, false).await.unwrap_err();
            assert!(matches!(error, ProbeError::Connect(_)), "{error}");
        }
    }
}
