//! The certificate of a gateway that was given none: made once, kept, and good for this machine only.

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

use super::tls::{TlsPaths, TlsReloader, certificates, provider};
use crate::state_file;

const DAY: Duration = Duration::from_secs(86_400);
/// How long the certificate is valid. Some clients refuse server certificates that live longer.
const LIFETIME: Duration = DAY.saturating_mul(825);
/// The certificate is replaced when it has less than this left.
const RENEW_BEFORE: Duration = DAY.saturating_mul(30);
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The paths of the kept certificate and key in `state_dir`, made now unless good ones are there.
///
/// ECDSA P-256, for `localhost`, `127.0.0.1` and `::1`, not a CA: who trusts it trusts nothing else. A new directory gets
/// mode 0700, the key mode 0600.
///
/// # Errors
/// When the files cannot be written or the certificate cannot be made.
pub(crate) fn self_signed(state_dir: &Path) -> Result<TlsPaths, SelfSignedError> {
    let paths = TlsPaths {
        certificate: state_dir.join("self-signed.pem"),
        key: state_dir.join("self-signed.key"),
        client_ca: None,
        any_client_certificate: false,
    };
    if !is_good(&paths) {
        make(state_dir, &paths)?;
    }
    Ok(paths)
}

/// Whether key and certificate belong together and the certificate is still what this module would make.
fn is_good(paths: &TlsPaths) -> bool {
    let Ok(text) = std::fs::read(&paths.certificate) else { return false };
    let Ok(chain) = certificates(&paths.certificate, &text) else { return false };
    let [certificate] = chain.as_slice() else { return false };
    TlsReloader::load(paths).is_ok() && NAMES.iter().all(|name| is_trusted_for(certificate, name))
}

/// Asks rustls what a client that trusts exactly this certificate would say, a little later than now.
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

fn make(state_dir: &Path, paths: &TlsPaths) -> Result<(), SelfSignedError> {
    let (certificate, key) = generate().map_err(SelfSignedError::Generate)?;
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |error| SelfSignedError::Write(path, error)
    };
    state_file::make_folder(state_dir).map_err(in_file(state_dir))?;
    // The key first: a crash in between leaves a pair that does not match, which the next start replaces.
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
    // A day back, for clocks that are behind.
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + (LIFETIME - DAY)).into();
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Why there is no self-signed certificate.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum SelfSignedError {
    /// A file or directory cannot be written.
    Write(PathBuf, io::Error),
    /// Key or certificate cannot be made.
    Generate(rcgen::Error),
}

impl fmt::Display for SelfSignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(path, error) => {
                write!(f, "cannot keep the self-signed certificate: {}: {error}", path.display())
            }
            Self::Generate(error) => write!(f, "cannot make a self-signed certificate: {error}"),
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

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn made_once_and_kept() {
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
        let paths = self_signed(&one).unwrap();
        let others = self_signed(&other).unwrap();
        fs::copy(&others.key, &paths.key).unwrap();
        assert!(matches!(TlsReloader::load(&paths), Err(super::super::tls::TlsError::Mismatch { .. })));
        self_signed(&one).unwrap();
        TlsReloader::load(&paths).unwrap();
    }
}
