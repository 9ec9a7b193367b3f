//! Certificates and the TLS settings made of them.

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

use super::client_certificate::{self, AnyCertificate, Vouching};

/// Where certificate and key lie, in PEM, and which certificates clients may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsPaths {
    /// The server's certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Ask clients for certificates, and accept those this CA signed. A client may come without.
    pub client_ca: Option<PathBuf>,
    /// Ask clients for certificates, and accept any. [`ClientCertificate::is_verified`](super::ClientCertificate) tells
    /// those that `client_ca` signed from the others.
    pub any_client_certificate: bool,
}

/// The TLS settings in use, and the way to replace them while running.
///
/// The whole of the settings is swapped, not only the certificate: a changed `client_ca` must not be outlived by session
/// tickets made under the old one. Where nothing changed, the settings stay, and so do the tickets.
#[derive(Debug)]
pub(crate) struct TlsReloader {
    settings: ArcSwap<TlsSettings>,
}

/// Settings that were read and found good, and are not yet in use.
#[derive(Debug)]
pub(crate) struct PreparedTls(TlsSettings);

/// What a handshake goes by.
#[derive(Debug)]
pub(super) struct TlsSettings {
    config: Arc<ServerConfig>,
    vouching: Vouching,
    /// SHA-256 of all that they were made of.
    origin: [u8; 32],
}

impl TlsSettings {
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Whether an authority vouches for a client's certificate, the first of `chain`.
    pub(super) fn vouches_for(&self, chain: &[CertificateDer<'_>]) -> bool {
        self.vouching.covers(chain)
    }
}

impl TlsReloader {
    /// Loads and checks everything.
    ///
    /// # Errors
    /// When a file is missing or unusable, or key and certificate do not belong together.
    pub(crate) fn load(paths: &TlsPaths) -> Result<Self, TlsError> {
        Ok(Self { settings: ArcSwap::from_pointee(settings(paths)?) })
    }

    /// Reads the files, which may be others than before, and changes nothing yet.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn prepare(&self, paths: &TlsPaths) -> Result<PreparedTls, TlsError> {
        settings(paths).map(PreparedTls)
    }

    /// Takes prepared settings for the handshakes from now on; whether they differ from those before.
    pub(crate) fn swap(&self, PreparedTls(settings): PreparedTls) -> bool {
        let changed = self.settings.load().origin != settings.origin;
        if changed {
            self.settings.store(Arc::new(settings));
        }
        changed
    }

    pub(super) fn settings(&self) -> Arc<TlsSettings> {
        self.settings.load_full()
    }
}

/// Why there is no TLS. Names the file and what is wrong with it, never its contents.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum TlsError {
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

fn settings(paths: &TlsPaths) -> Result<TlsSettings, TlsError> {
    let provider = provider();
    let mut origin = Sha256::new();
    origin.update([u8::from(paths.any_client_certificate), u8::from(paths.client_ca.is_some())]);
    let certified = certified_key(&paths.certificate, &paths.key, &provider, &mut origin)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let authority = match &paths.client_ca {
        None => None,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, &read(path, &mut origin)?)? {
                roots.add(certificate).map_err(|error| TlsError::Certificate(path.clone(), error))?;
            }
            let authority = client_certificate::of_authority(roots, Arc::clone(&provider));
            Some(authority.map_err(|error| TlsError::ClientCa(path.clone(), error))?)
        }
    };
    let (builder, vouching) = match (authority, paths.any_client_certificate) {
        (None, false) => (builder.with_no_client_auth(), Vouching::Nobody),
        (Some(authority), false) => (builder.with_client_cert_verifier(authority), Vouching::Handshake),
        (authority, true) => {
            let any = AnyCertificate(provider.signature_verification_algorithms);
            let vouching = authority.map_or(Vouching::Nobody, Vouching::Authority);
            (builder.with_client_cert_verifier(Arc::new(any)), vouching)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Stateless tickets: a returning client saves both sides the signature, and no memory is kept for it. One ticket is
    // enough for one connection at a time; each costs an encryption and a write in the handshake.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Settings)?;
    config.send_tls13_tickets = 1;
    Ok(TlsSettings { config: Arc::new(config), vouching, origin: origin.finalize().into() })
}

fn certified_key(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
    origin: &mut Sha256,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate, &read(certificate, origin)?)?;
    let private_key = PrivateKeyDer::from_pem_slice(&read(key, origin)?).map_err(|error| match error {
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

/// What a file holds, which may be a key.
fn read(path: &Path, origin: &mut Sha256) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let bytes = fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error))?;
    origin.update((bytes.len() as u64).to_le_bytes());
    origin.update(&bytes);
    Ok(Zeroizing::new(bytes))
}

/// All certificates of a file; at least one.
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
