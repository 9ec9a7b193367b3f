//! One form posted to a running gateway, as curl would do it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt, io};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::gateway_url::form;
use crate::config::{Config, Host, Origin, Scheme, ServerCertificate, UrlError};

/// For all of it, from the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// Answers of these endpoints are far smaller.
const MAX_ANSWER: usize = 1 << 20;

/// Whom to believe that it is the gateway.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Anybody.
    pub(super) insecure: bool,
    /// Who has one of these certificates, beside those that the system trusts.
    pub(super) certificates: Option<PathBuf>,
}

impl Trust {
    /// What the configuration says of the gateway's own certificate.
    pub(super) fn of(config: Option<&Config>, insecure: bool) -> Self {
        let certificates = config.map(|config| match &config.server.tls.certificate {
            ServerCertificate::SelfSigned => config.server.state_dir.join("self-signed.pem"),
            ServerCertificate::Files { certificate, .. } => certificate.clone(),
        });
        Self { insecure, certificates }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
#[non_exhaustive]
pub(super) enum PostError {
    /// No URL of a server.
    Url(UrlError),
    /// Nobody listens there.
    Connect(Origin, io::Error),
    /// The server is not trusted, or TLS fails otherwise.
    Tls(Origin, io::Error),
    /// TLS cannot be set up here.
    Settings(TlsError),
    /// What came was no HTTP, or broke off.
    Http(hyper::Error),
    /// An answer that no such endpoint gives.
    TooLong,
    /// It took too long.
    TimedOut,
    /// This process cannot do network input and output.
    Runtime(io::Error),
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => write!(f, "the URL {error}"),
            Self::Connect(origin, error) => {
                write!(
                    f,
                    "cannot connect to {origin}: {error} (does the gateway run? --url names another one)"
                )
            }
            Self::Tls(origin, error) => {
                write!(f, "{origin}: {error}")?;
                match certificate_error(error) {
                    Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                        f.write_str(" (--url can name the gateway as its certificate does)")
                    }
                    Some(_) => f.write_str(
                        " (its certificate is neither trusted by this system nor the one of the configuration; -k does not check)",
                    ),
                    None => Ok(()),
                }
            }
            Self::Settings(error) => write!(f, "TLS cannot be set up: {error}"),
            Self::Http(error) => write!(f, "no whole HTTP answer came: {error}"),
            Self::TooLong => {
                f.write_str("the answer is longer than any of this endpoint; is it the gateway?")
            }
            Self::TimedOut => write!(f, "no answer within {} s", PATIENCE.as_secs()),
            Self::Runtime(error) => write!(f, "cannot do network input and output: {error}"),
        }
    }
}

impl error::Error for PostError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Url(error) => Some(error),
            Self::Connect(_, error) | Self::Tls(_, error) | Self::Runtime(error) => Some(error),
            Self::Settings(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::TooLong | Self::TimedOut => None,
        }
    }
}

fn certificate_error(error: &io::Error) -> Option<&CertificateError> {
    match error.get_ref()?.downcast_ref::<TlsError>()? {
        TlsError::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// Posts a form and waits for the answer.
pub(super) fn post(url: &str, trust: &Trust, fields: &[(&str, &str)]) -> Result<Answer, PostError> {
    let (origin, path) = Origin::parse_with_rest(url).map_err(PostError::Url)?;
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", form(name), form(value))).collect();
    let mut request = Request::new(Full::new(Bytes::from(fields.join("&"))));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().map_err(|_| PostError::Url(UrlError::Byte))?;
    let headers = request.headers_mut();
    let authority = origin.to_string();
    let authority = authority.split_once("://").map_or("", |(_, authority)| authority);
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| PostError::Url(UrlError::Host))?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));

    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PostError::Runtime)?;
    let answer = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, exchange(&origin, trust, request))
            .await
            .unwrap_or(Err(PostError::TimedOut))
    });
    // A name that is still being looked up holds nobody up.
    runtime.shutdown_background();
    answer
}

async fn exchange(
    origin: &Origin,
    trust: &Trust,
    request: Request<Full<Bytes>>,
) -> Result<Answer, PostError> {
    let connect = |error| PostError::Connect(origin.clone(), error);
    let tcp = match &origin.host {
        Host::Address(ip) => TcpStream::connect((*ip, origin.port)).await,
        Host::Name(name) => TcpStream::connect((&**name, origin.port)).await,
    };
    let tcp = tcp.map_err(connect)?;
    match origin.scheme {
        Scheme::Http => send(tcp, request).await,
        Scheme::Https => {
            let name = server_name(&origin.host).ok_or(PostError::Url(UrlError::Host))?;
            let connector = TlsConnector::from(Arc::new(settings(trust).map_err(PostError::Settings)?));
            let tls = connector.connect(name, tcp).await;
            send(tls.map_err(|error| PostError::Tls(origin.clone(), error))?, request).await
        }
    }
}

/// The name a certificate must be for.
pub(super) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Address(ip) => Some(ServerName::from(*ip)),
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> Result<Answer, PostError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(PostError::Http)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(PostError::Http)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => PostError::Http(*error),
            Err(_) => PostError::TooLong,
        })?;
        Ok(Answer { status, body: body.to_bytes() })
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection may end first; whatever it still has for us is in the answer's hands by then.
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(PostError::Http(error)),
        },
    }
}

/// TLS as a client that trusts so.
pub(super) fn settings(trust: &Trust) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    if trust.insecure {
        let anybody = Arc::new(Anybody(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(trust.certificates.as_deref().map(certificates).unwrap_or_default());
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates in a file. One that cannot be read makes nobody trusted, and the handshake then says so.
fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).map_or_else(|_| Vec::new(), |found| found.flatten().collect())
}

/// Takes any certificate: what `-k` asks for.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
