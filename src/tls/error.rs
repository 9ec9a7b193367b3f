//! Why a certificate or a private key cannot be used.

use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use rustls_pki_types::pem;

/// Why TLS cannot be set up. Names the file, its defect and the remedy, never its contents.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum TlsError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file is larger than any certificate or key.
    TooLarge(PathBuf),
    /// A file is not PEM.
    Pem(PathBuf, pem::Error),
    /// A file contains DER instead of PEM.
    Der(PathBuf),
    /// A file contains no certificate.
    NoCertificate { path: PathBuf, has_key: bool },
    /// A file contains no private key.
    NoKey { path: PathBuf, has_certificate: bool },
    /// A private key cannot be used.
    Key(PathBuf, KeyProblem),
    /// The certificate cannot be used.
    Certificate(PathBuf, rustls::Error),
    /// The certificate is of X.509 version 1.
    Version1(PathBuf),
    /// The key does not belong to the certificate.
    Mismatch { certificate: PathBuf, key: PathBuf },
    /// The authorities for client certificates cannot be used.
    ClientCa(PathBuf, rustls::server::VerifierBuilderError),
    /// rustls rejects the settings.
    Settings(rustls::Error),
}

/// Why a private key cannot be used.
#[derive(Debug)]
pub(crate) enum KeyProblem {
    /// The key is encrypted with a passphrase.
    Encrypted,
    /// The key is on the curve P-521.
    P521,
    /// Anything else.
    Other(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::TooLarge(path) => write!(f, "{} is larger than 4 MiB", path.display()),
            Self::Pem(path, _) => write!(f, "{} is not a PEM file", path.display()),
            Self::Der(path) => write!(
                f,
                "{} is in DER; it must be in PEM: convert it with `openssl x509 -inform der` (a certificate) or \
                 `openssl pkey -inform der` (a key)",
                path.display()
            ),
            Self::NoCertificate { path, has_key } => {
                write!(f, "{} contains no certificate", path.display())?;
                f.write_str(if *has_key {
                    ", but a private key: name the file of the certificate"
                } else {
                    ""
                })
            }
            Self::NoKey { path, has_certificate } => {
                write!(f, "{} contains no private key", path.display())?;
                let instead = ", but a certificate: name the file of its private key";
                f.write_str(if *has_certificate { instead } else { "" })
            }
            Self::Key(path, problem) => problem.write(path, f),
            Self::Certificate(path, error) => {
                write!(f, "the certificate in {} cannot be used: {error}", path.display())
            }
            Self::Version1(path) => write!(
                f,
                "the certificate in {} is of X.509 version 1, which has no alternative names and which TLS clients \
                 refuse: issue it again with the extension subjectAltName, which makes it version 3 (`openssl x509 \
                 -req … -extfile san.ext`, where san.ext has `subjectAltName = DNS:api.example.com`)",
                path.display()
            ),
            Self::Mismatch { certificate, key } => write!(
                f,
                "the key in {} does not belong to the certificate in {}",
                key.display(),
                certificate.display()
            ),
            Self::ClientCa(path, error) => {
                write!(f, "the authorities in {} cannot be used: {error}", path.display())
            }
            Self::Settings(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl KeyProblem {
    fn write(&self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = path.display();
        match self {
            Self::Encrypted => write!(
                f,
                "the private key in {path} is encrypted with a passphrase, and the gateway starts without anybody to \
                 ask for it: decrypt it with `openssl pkey -in {path} -out new.key`, make the new file readable for \
                 the gateway's user only, and name it instead"
            ),
            Self::P521 => write!(
                f,
                "the private key in {path} is on the curve P-521 (secp521r1), which the gateway's TLS does not have: \
                 make a P-256 key with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key`, \
                 and have a certificate issued for it"
            ),
            Self::Other(_) => write!(
                f,
                "the private key in {path} cannot be used: ECDSA keys on P-256 and P-384, Ed25519 keys and RSA keys \
                 of 2048 bits or more can"
            ),
        }
    }
}

impl error::Error for TlsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::Pem(_, error) => Some(error),
            Self::Key(_, KeyProblem::Other(error)) | Self::Certificate(_, error) | Self::Settings(error) => {
                Some(error)
            }
            Self::ClientCa(_, error) => Some(error),
            Self::TooLarge(_)
            | Self::Der(_)
            | Self::NoCertificate { .. }
            | Self::NoKey { .. }
            | Self::Key(..)
            | Self::Version1(_)
            | Self::Mismatch { .. } => None,
        }
    }
}
