//! TLS settings and the certificates from which they are built.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::ServerConfig;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::client_certificate::{self, AnyCertificate, ClientVerification, RegisteredCertificates};
use super::sni::CertificatesByName;
use crate::acme::challenge::Challenges;
use crate::config::CertificateFiles;
use crate::tls::error::TlsError;
use crate::tls::pem_file::{PemFile, certified_key};
use crate::tls::provider;

/// The PEM files of the server, and the client certificates that it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsPaths {
    /// The certificates, each followed by its intermediates, with their keys. The server name of the client
    /// (SNI) selects one. The first is used for clients that send no name, or a name that no certificate
    /// contains.
    pub certificates: Vec<CertificateFiles>,
    /// Requests client certificates and accepts those that this CA has signed. A client without a certificate
    /// is accepted as well.
    pub client_ca: Option<PathBuf>,
    /// Requests client certificates, and accepts any in the handshake. [`ClientCertificate::trust`]
    /// determines later what a certificate proves.
    ///
    /// [`ClientCertificate::trust`]: super::ClientCertificate::trust
    pub any_client_certificate: bool,
    /// The SHA-256 digests of client certificates that are accepted even if `client_ca` has not signed them.
    /// Without a `client_ca` the list may be empty.
    pub registered_certificates: Vec<[u8; 32]>,
    /// Answers the challenges of an authority that issues certificates. There may then be no certificate yet.
    pub answers_challenges: bool,
}

impl TlsPaths {
    /// Creates the paths of a server that does not request client certificates.
    pub(crate) fn new(certificates: Vec<CertificateFiles>) -> Self {
        Self {
            certificates,
            client_ca: None,
            any_client_certificate: false,
            registered_certificates: Vec::new(),
            answers_challenges: false,
        }
    }
}

/// The current TLS settings, which can be replaced while the server runs.
///
/// The settings are replaced as a whole, not only the certificate: session tickets issued under an old
/// `client_ca` must not remain valid after it. If no file changed, the settings and the tickets are kept.
#[derive(Debug)]
pub(crate) struct TlsReloader {
    settings: ArcSwap<TlsSettings>,
    challenges: Arc<Challenges>,
}

/// Settings that are loaded and checked, but not in use yet.
#[derive(Debug)]
pub(crate) struct PreparedTls(TlsSettings);

/// The settings of a TLS handshake.
#[derive(Debug)]
pub(super) struct TlsSettings {
    config: Arc<ServerConfig>,
    /// The same certificates for a listener that speaks HTTP/1.1 alone and asks for no certificate of the
    /// client.
    http1_config: Arc<ServerConfig>,
    client_verification: ClientVerification,
    answers_challenges: bool,
    /// The SHA-256 digest of the files and options that the settings were built from.
    source_digest: [u8; 32],
}

impl TlsSettings {
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Returns whether connections for challenges are answered.
    pub(super) fn answers_challenges(&self) -> bool {
        self.answers_challenges
    }

    /// Returns the TLS settings of connections for requests.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Returns how client certificates are verified.
    pub(super) fn client_verification(&self) -> &ClientVerification {
        &self.client_verification
    }

    /// Returns a digest that identifies the settings.
    pub(super) fn source_digest(&self) -> &[u8; 32] {
        &self.source_digest
    }
}

impl TlsReloader {
    /// Loads and checks the files.
    ///
    /// # Errors
    /// Fails if a file is missing or unusable, or if the key does not belong to the certificate.
    pub(crate) fn load(paths: &TlsPaths) -> Result<Self, TlsError> {
        let challenges = Arc::new(Challenges::new().map_err(TlsError::Settings)?);
        Ok(Self { settings: ArcSwap::from_pointee(settings(paths)?), challenges })
    }

    /// Loads and checks the files without using them yet. The paths may differ from the previous ones.
    ///
    /// # Errors
    /// Fails for the same reasons as [`load`](Self::load).
    pub(crate) fn prepare(&self, paths: &TlsPaths) -> Result<PreparedTls, TlsError> {
        settings(paths).map(PreparedTls)
    }

    /// Uses the prepared settings for new handshakes. Returns whether they differ from the previous ones.
    pub(crate) fn swap(&self, PreparedTls(settings): PreparedTls) -> bool {
        let changed = self.settings.load().source_digest != settings.source_digest;
        if changed {
            self.settings.store(Arc::new(settings));
        }
        changed
    }

    /// Returns an acceptor for a listener that speaks HTTP/1.1 alone and asks for no certificate of the
    /// client.
    pub(crate) fn http1_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.settings.load().http1_config))
    }

    /// Returns the challenges that are answered.
    pub(crate) fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }

    pub(super) fn settings(&self) -> Arc<TlsSettings> {
        self.settings.load_full()
    }
}

fn settings(paths: &TlsPaths) -> Result<TlsSettings, TlsError> {
    let provider = provider();
    let mut digest = Sha256::new();
    digest.update(
        [paths.any_client_certificate, paths.client_ca.is_some(), paths.answers_challenges].map(u8::from),
    );
    let registered = RegisteredCertificates::new(paths.registered_certificates.clone());
    digest.update((registered.digests().len() as u64).to_le_bytes());
    digest.update(registered.digests().as_flattened());
    let mut certificates = Vec::new();
    for CertificateFiles { certificate, key } in &paths.certificates {
        let (certificate, key) = (read(certificate, &mut digest)?, read(key, &mut digest)?);
        certificates.push(Arc::new(certified_key(&certificate, &key, &provider)?));
    }
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let verifier = match &paths.client_ca {
        None => None,
        Some(path) => {
            let roots = read(path, &mut digest)?.roots()?;
            let verifier = client_certificate::signed_by(roots, Arc::clone(&provider));
            Some(verifier.map_err(|error| TlsError::ClientCa(path.clone(), error))?)
        }
    };
    let (builder, client_verification) = match (verifier, paths.any_client_certificate) {
        (None, false) => (builder.with_no_client_auth(), ClientVerification::NotRequested),
        (Some(verifier), false) => {
            (builder.with_client_cert_verifier(Arc::clone(&verifier)), ClientVerification::Signed(verifier))
        }
        (verifier, true) => {
            let any = AnyCertificate(provider.signature_verification_algorithms);
            let verification = match verifier {
                None => ClientVerification::Any,
                Some(verifier) => ClientVerification::SignedOrRegistered(verifier, registered),
            };
            (builder.with_client_cert_verifier(Arc::new(any)), verification)
        }
    };
    let certificates = Arc::new(CertificatesByName::new(certificates));
    let http1 = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let mut http1_config =
        http1.with_no_client_auth().with_cert_resolver(Arc::<CertificatesByName>::clone(&certificates));
    http1_config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut config = builder.with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets are stateless: resuming a session saves a signature on both sides and needs no memory on the
    // server. One ticket is enough for one connection at a time. Each ticket costs an encryption and a write
    // in the handshake.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Settings)?;
    config.send_tls13_tickets = 1;
    let source_digest = digest.finalize().into();
    Ok(TlsSettings {
        config: Arc::new(config),
        http1_config: Arc::new(http1_config),
        client_verification,
        answers_challenges: paths.answers_challenges,
        source_digest,
    })
}

/// Reads a file and adds it to the digest. The file may contain a private key.
fn read(path: &Path, digest: &mut Sha256) -> Result<PemFile, TlsError> {
    let file = PemFile::read(path)?;
    digest.update((file.bytes().len() as u64).to_le_bytes());
    digest.update(file.bytes());
    Ok(file)
}
