//! The self-signed certificate of a gateway without a configured certificate. It is created once, stored, and
//! valid only for this machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{error, fmt};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::tls::{TlsPaths, TlsReloader};
use crate::config::CertificateFiles;
use crate::state_file;
use crate::tls::pem_file::PemFile;
use crate::tls::provider;

const DAY: Duration = Duration::from_secs(86_400);
/// The validity period of the certificate. Some clients refuse server certificates with a longer one.
const LIFETIME: Duration = DAY.saturating_mul(825);
/// The certificate is replaced if it expires within this time.
const RENEW_BEFORE: Duration = DAY.saturating_mul(30);
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Returns the paths of the certificate and key in `state_dir`. Creates them unless a valid pair exists.
///
/// The key is ECDSA P-256. The certificate is for `localhost`, `127.0.0.1` and `::1`. It is not a CA
/// certificate, so a client that trusts it trusts no other certificate. A new directory gets mode 0700, the
/// key mode 0600.
///
/// # Errors
/// Fails if the certificate cannot be created or the files cannot be written.
pub(crate) fn self_signed(state_dir: &Path) -> Result<CertificateFiles, SelfSignedError> {
    let files = CertificateFiles {
        certificate: state_dir.join("self-signed.pem"),
        key: state_dir.join("self-signed.key"),
    };
    if !is_usable(&files) {
        create(state_dir, &files)?;
    }
    Ok(files)
}

/// Returns whether the key belongs to the certificate, and the certificate is still valid for all names.
fn is_usable(files: &CertificateFiles) -> bool {
    let chain = PemFile::read(&files.certificate).and_then(|file| file.certificates());
    let Ok([certificate]) = chain.as_deref() else { return false };
    TlsReloader::load(&TlsPaths::new(vec![files.clone()])).is_ok()
        && NAMES.iter().all(|name| is_trusted_for(certificate, name))
}

/// Returns whether a client that trusts only this certificate would still accept it in [`RENEW_BEFORE`].
fn is_trusted_for(certificate: &CertificateDer<'static>, name: &str) -> bool {
    let mut roots = RootCertStore::empty();
    let Ok(name) = ServerName::try_from(name) else { return false };
    if roots.add(certificate.clone()).is_err() {
        return false;
    }
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build()
    else {
        return false;
    };
    let later = UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs()) + RENEW_BEFORE);
    verifier.verify_server_cert(certificate, &[], &name, &[], later).is_ok()
}

fn create(state_dir: &Path, paths: &CertificateFiles) -> Result<(), SelfSignedError> {
    let (certificate, key) = generate().map_err(SelfSignedError::Generate)?;
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |error| SelfSignedError::Write(path, error)
    };
    state_file::make_folder(state_dir).map_err(in_file(state_dir))?;
    // A crash between the two writes leaves a key and a certificate that do not match. The next start
    // replaces them.
    state_file::replace(&paths.key, key.as_bytes(), 0o600).map_err(in_file(&paths.key))?;
    state_file::replace(&paths.certificate, certificate.as_bytes(), 0o644)
        .map_err(in_file(&paths.certificate))
}

fn generate() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(NAMES.map(String::from))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Tollgate self-signed");
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The validity starts one day ago, for clients whose clocks are slow.
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + (LIFETIME - DAY)).into();
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// The reason why the self-signed certificate cannot be created.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum SelfSignedError {
    /// A file or directory cannot be written.
    Write(PathBuf, io::Error),
    /// The key or the certificate cannot be generated.
    Generate(rcgen::Error),
}

impl fmt::Display for SelfSignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(path, error) => {
                write!(f, "cannot store the self-signed certificate: {}: {error}", path.display())
            }
            Self::Generate(error) => write!(f, "cannot create a self-signed certificate: {error}"),
        }
    }
}

impl error::Error for SelfSignedError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Write(_, error) => Some(error),
            Self::Generate(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::tls::error::TlsError;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_certificate_is_created_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let paths = self_signed(&state).unwrap();
        let made = fs::read(&paths.certificate).unwrap();
        assert_eq!((mode(&state), mode(&paths.key)), (0o700, 0o600));
        assert_eq!(self_signed(&state).unwrap(), paths);
        assert_eq!(fs::read(&paths.certificate).unwrap(), made);
    }

    #[test]
    fn a_pair_that_does_not_match_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let files = self_signed(&one).unwrap();
        let others = self_signed(&other).unwrap();
        fs::copy(&others.key, &files.key).unwrap();
        let paths = TlsPaths::new(vec![files]);
        assert!(matches!(TlsReloader::load(&paths), Err(TlsError::Mismatch { .. })));
        self_signed(&one).unwrap();
        TlsReloader::load(&paths).unwrap();
    }
}
