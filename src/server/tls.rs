//! TLS settings and the certificates they are built from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{error, fmt, fs, io};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::client_certificate::{self, AnyCertificate, ClientVerification};

/// The PEM files of the server, and the client certificates that are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsPaths {
    /// The server's certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// Requests client certificates and accepts those that this CA signed. A client without one is accepted
    /// as well.
    pub client_ca: Option<PathBuf>,
    /// Requests client certificates and accepts any.
    /// [`ClientCertificate::is_verified`](super::ClientCertificate) says whether `client_ca` signed it.
    pub any_client_certificate: bool,
}

/// The TLS settings in use, which can be replaced while the server runs.
///
/// The settings are replaced as a whole, not only the certificate: session tickets issued under an old
/// `client_ca` must not outlive it. If no file changed, the settings and the tickets stay.
#[derive(Debug)]
pub(crate) struct TlsReloader {
    settings: ArcSwap<TlsSettings>,
}

/// Settings that were loaded and checked, and are not in use yet.
#[derive(Debug)]
pub(crate) struct PreparedTls(TlsSettings);

/// The settings of a TLS handshake.
#[derive(Debug)]
pub(super) struct TlsSettings {
    config: Arc<ServerConfig>,
    client_verification: ClientVerification,
    /// The SHA-256 digest of the files and options that the settings were built from.
    source_digest: [u8; 32],
}

impl TlsSettings {
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Returns whether the CA has signed a client's certificate, the first of `chain`.
    pub(super) fn is_client_verified(&self, chain: &[CertificateDer<'_>]) -> bool {
        self.client_verification.is_verified(chain)
    }
}

impl TlsReloader {
    /// Loads and checks the files.
    ///
    /// # Errors
    /// Fails if a file is missing or unusable, or if the key does not belong to the certificate.
    pub(crate) fn load(paths: &TlsPaths) -> Result<Self, TlsError> {
        Ok(Self { settings: ArcSwap::from_pointee(settings(paths)?) })
    }

    /// Loads and checks the files, which may be different ones than before, without using them yet.
    ///
    /// # Errors
    /// The same as [`load`](Self::load).
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

    pub(super) fn settings(&self) -> Arc<TlsSettings> {
        self.settings.load_full()
    }
}

/// Why TLS cannot be set up. Names the file and its defect, never its contents.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum TlsError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file is not PEM.
    Pem(PathBuf, pem::Error),
    /// A file contains no certificate.
    NoCertificate(PathBuf),
    /// A file contains no private key.
    NoKey(PathBuf),
    /// The type of the private key is not supported.
    Key(PathBuf, rustls::Error),
    /// The certificate cannot be used.
    Certificate(PathBuf, rustls::Error),
    /// The key does not belong to the certificate.
    Mismatch { certificate: PathBuf, key: PathBuf },
    /// The CA for client certificates cannot be used.
    ClientCa(PathBuf, rustls::server::VerifierBuilderError),
    /// rustls rejects the settings.
    Settings(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Pem(path, _) => write!(f, "{} is not a PEM file", path.display()),
            Self::NoCertificate(path) => write!(f, "{} holds no certificate", path.display()),
            Self::NoKey(path) => write!(f, "{} holds no private key", path.display()),
            Self::Key(path, _) => {
                write!(
                    f,
                    "the private key in {} cannot be used (ECDSA, Ed25519 and RSA keys can)",
                    path.display()
                )
            }
            Self::Certificate(path, error) => {
                write!(f, "the certificate in {} cannot be used: {error}", path.display())
            }
            Self::Mismatch { certificate, key } => {
                write!(
                    f,
                    "the key in {} does not belong to the certificate in {}",
                    key.display(),
                    certificate.display()
                )
            }
            Self::ClientCa(path, error) => {
                write!(f, "the client CA in {} cannot be used: {error}", path.display())
            }
            Self::Settings(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl error::Error for TlsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::Pem(_, error) => Some(error),
            Self::Key(_, error) | Self::Certificate(_, error) | Self::Settings(error) => Some(error),
            Self::ClientCa(_, error) => Some(error),
            Self::NoCertificate(_) | Self::NoKey(_) | Self::Mismatch { .. } => None,
        }
    }
}

/// Returns the cryptography provider. Never the process-wide default, which any crate may set.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn settings(paths: &TlsPaths) -> Result<TlsSettings, TlsError> {
    let provider = provider();
    let mut digest = Sha256::new();
    digest.update([u8::from(paths.any_client_certificate), u8::from(paths.client_ca.is_some())]);
    let certified = certified_key(&paths.certificate, &paths.key, &provider, &mut digest)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let verifier = match &paths.client_ca {
        None => None,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, &read(path, &mut digest)?)? {
                roots.add(certificate).map_err(|error| TlsError::Certificate(path.clone(), error))?;
            }
            let verifier = client_certificate::signed_by(roots, Arc::clone(&provider));
            Some(verifier.map_err(|error| TlsError::ClientCa(path.clone(), error))?)
        }
    };
    let (builder, client_verification) = match (verifier, paths.any_client_certificate) {
        (None, false) => (builder.with_no_client_auth(), ClientVerification::None),
        (Some(verifier), false) => {
            (builder.with_client_cert_verifier(verifier), ClientVerification::InHandshake)
        }
        (verifier, true) => {
            let any = AnyCertificate(provider.signature_verification_algorithms);
            let verification = verifier.map_or(ClientVerification::None, ClientVerification::AfterHandshake);
            (builder.with_client_cert_verifier(Arc::new(any)), verification)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Stateless tickets: a resumed session saves both sides the signature without memory on the server. One
    // ticket is enough for one connection at a time; each costs an encryption and a write in the handshake.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Settings)?;
    config.send_tls13_tickets = 1;
    let source_digest = digest.finalize().into();
    Ok(TlsSettings { config: Arc::new(config), client_verification, source_digest })
}

fn certified_key(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
    digest: &mut Sha256,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate, &read(certificate, digest)?)?;
    let private_key = PrivateKeyDer::from_pem_slice(&read(key, digest)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(key.to_owned()),
        error => pem_error(key, error),
    })?;
    let private_key = provider
        .key_provider
        .load_private_key(private_key)
        .map_err(|error| TlsError::Key(key.to_owned(), error))?;
    let certified = CertifiedKey::new(chain, private_key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(error) => Err(TlsError::Certificate(certificate.to_owned(), error)),
    }
}

/// Reads a file, which may contain a key, and adds it to the digest.
fn read(path: &Path, digest: &mut Sha256) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let bytes = fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error))?;
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(&bytes);
    Ok(Zeroizing::new(bytes))
}

/// Parses the certificates of a PEM file, at least one.
pub(super) fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| pem_error(path, error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

fn pem_error(path: &Path, error: pem::Error) -> TlsError {
    TlsError::Pem(path.to_owned(), error)
}
