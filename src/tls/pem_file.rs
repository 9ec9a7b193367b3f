//! A PEM file with certificates or a private key.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::error::{KeyProblem, TlsError};
use crate::oauth::certificate::Certificate;

/// The largest file that is read: the authorities of a system are some hundred KiB.
const MAX_SIZE: u64 = 4 << 20;

/// The object identifier of the curve P-521, as DER has it (RFC 5480 §2.1.1.1).
const P521: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

/// A PEM file as it was read. It may contain a private key, so its bytes are wiped.
pub(crate) struct PemFile {
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Fails if the file cannot be read or is too large.
    pub(crate) fn read(path: &Path) -> Result<Self, TlsError> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)
            .and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes))
            .map_err(|error| TlsError::Read(path.to_owned(), error))?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(TlsError::TooLarge(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), bytes })
    }

    /// Creates the contents of a file that is to be written.
    pub(crate) fn unwritten(path: &Path, text: Zeroizing<String>) -> Self {
        let mut text = text;
        let bytes = Zeroizing::new(std::mem::take(&mut *text).into_bytes());
        Self { path: path.to_owned(), bytes }
    }

    /// Returns the items of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parses the certificates: at least one.
    ///
    /// # Errors
    /// Fails if there is none, or the file is not PEM.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError::Pem(self.path.clone(), error))?;
        if certificates.is_empty() {
            let has_key = self.has("PRIVATE KEY-----");
            return Err(self.der().unwrap_or(TlsError::NoCertificate { path: self.path.clone(), has_key }));
        }
        Ok(certificates)
    }

    /// Parses the chain of a server or a client: its own certificate first.
    ///
    /// # Errors
    /// Fails if there is none, or it is of a version that TLS does not accept.
    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain = self.certificates()?;
        let own = chain.first().and_then(|der| Certificate::parse(der).ok());
        if own.is_some_and(|own| !own.is_version_3()) {
            return Err(TlsError::Version1(self.path.clone()));
        }
        Ok(chain)
    }

    /// Parses the certificates as those of authorities.
    ///
    /// # Errors
    /// Fails if there is none, or one of them cannot be an authority.
    pub(crate) fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| TlsError::Certificate(self.path.clone(), error))?;
        }
        Ok(roots)
    }

    /// Parses the private key, of any kind.
    ///
    /// # Errors
    /// Fails if there is none, or it is encrypted.
    pub(crate) fn private_key_der(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        // RFC 5958 §3 has a label of its own; RFC 1421 §4.6.1.1 a header line, which makes the rest
        // unreadable.
        if self.has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || self.has("Proc-Type: 4,ENCRYPTED") {
            return Err(TlsError::Key(self.path.clone(), KeyProblem::Encrypted));
        }
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                let has_certificate = self.has("-----BEGIN CERTIFICATE-----");
                self.der().unwrap_or(TlsError::NoKey { path: self.path.clone(), has_certificate })
            }
            error => TlsError::Pem(self.path.clone(), error),
        })
    }

    /// Parses the private key.
    ///
    /// # Errors
    /// Fails if there is none, or it is of a kind that cannot be used.
    pub(crate) fn private_key(&self, provider: &CryptoProvider) -> Result<Arc<dyn SigningKey>, TlsError> {
        let key = self.private_key_der()?;
        let is_p521 = key.secret_der().windows(P521.len()).any(|window| window == P521);
        provider.key_provider.load_private_key(key).map_err(|error| {
            let problem = if is_p521 { KeyProblem::P521 } else { KeyProblem::Other(error) };
            TlsError::Key(self.path.clone(), problem)
        })
    }

    fn has(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Returns the error for a file that is in DER: a sequence (X.690 §8.9) in the long form.
    fn der(&self) -> Option<TlsError> {
        matches!(self.bytes(), [0x30, 0x81..=0x84, ..]).then(|| TlsError::Der(self.path.clone()))
    }
}

/// Loads a certificate chain and its private key.
///
/// # Errors
/// Fails if one of them cannot be used, or if the key does not belong to the certificate.
pub(crate) fn certified_key(
    certificate: &PemFile,
    key: &PemFile,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let certified = CertifiedKey::new(certificate.chain()?, key.private_key(provider)?);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch { certificate: certificate.path.clone(), key: key.path.clone() })
        }
        Err(error) => Err(TlsError::Certificate(certificate.path.clone(), error)),
    }
}
