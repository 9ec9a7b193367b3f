//! Certificates and the TLS settings made of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{error, fmt};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where certificate and key lie, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPaths {
    /// The server's certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Ask clients for certificates, and accept those this CA signed. A client may come without.
    pub client_ca: Option<PathBuf>,
}

/// The TLS settings in use, and the way to replace them while running.
///
/// The whole of the settings is swapped, not only the certificate: a changed `client_ca` must not be outlived by session
/// tickets made under the old one.
#[derive(Debug)]
pub struct TlsReloader {
    paths: TlsPaths,
    config: ArcSwap<ServerConfig>,
}

impl TlsReloader {
    /// Loads and checks everything.
    ///
    /// # Errors
    /// When a file is missing or unusable, or key and certificate do not belong together.
    pub fn load(paths: TlsPaths) -> Result<Self, TlsError> {
        let config = ArcSwap::new(server_config(&paths)?);
        Ok(Self { paths, config })
    }

    /// Reads the files again, for the handshakes from now on. After an error the old settings stay.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(server_config(&self.paths)?);
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

/// Why there is no TLS. Names the file and what is wrong with it, never its contents.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file is not PEM.
    Pem(PathBuf, pem::Error),
    /// A file has no certificate in it.
    NoCertificate(PathBuf),
    /// A file has no private key in it.
    NoKey(PathBuf),
    /// The private key is of a kind that cannot be used.
    Key(PathBuf, rustls::Error),
    /// The certificate cannot be used.
    Certificate(PathBuf, rustls::Error),
    /// The key is not the certificate's.
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The CA for client certificates cannot be used.
    ClientCa(PathBuf, rustls::server::VerifierBuilderError),
    /// rustls refuses the settings.
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

/// The one provider of this program; never the process-wide default, which any crate may set.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_config(paths: &TlsPaths) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let certified = certified_key(&paths.certificate, &paths.key, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let builder = match &paths.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| TlsError::Certificate(path.clone(), error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| TlsError::ClientCa(path.clone(), error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Stateless tickets: a returning client saves both sides the signature, and no memory is kept for it. One ticket is
    // enough for one connection at a time; each costs an encryption and a write in the handshake.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Settings)?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn certified_key(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate)?;
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
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

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem_error(path, error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

fn pem_error(path: &Path, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(error) => TlsError::Read(path.to_owned(), error),
        error => TlsError::Pem(path.to_owned(), error),
    }
}
