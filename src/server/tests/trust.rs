//! What a client certificate proves at the time of its use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::tls::authority;
use super::*;

/// The Unix time at which the client certificates expire.
const EXPIRY: u64 = 2_000_000_000;

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Ca {
    fn new(folder: &Path, name: &str) -> Self {
        let file = folder.join(name);
        Self { issuer: authority(&file), file }
    }

    fn sign(&self) -> CertificateDer<'static> {
        client().signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().into()
    }
}

fn client() -> CertificateParams {
    let mut params = CertificateParams::new(["client".into()]).unwrap();
    params.not_after = (std::time::UNIX_EPOCH + Duration::from_secs(EXPIRY)).into();
    params
}

fn at(second: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(second))
}

fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

#[test]
fn trust_in_a_certificate_follows_the_clock_and_the_ca() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Ca::new(folder.path(), "one"), Ca::new(folder.path(), "other"));
    let with = |ca: &Ca| TlsPaths { client_ca: Some(ca.file.clone()), ..own_tls(folder.path()) };
    let tls = Arc::new(TlsReloader::load(&with(&one)).unwrap());
    let take_up = |paths: &TlsPaths| assert!(tls.swap(tls.prepare(paths).unwrap()));
    let certificate = ClientCertificate::new(&[one.sign()], Arc::clone(&tls)).unwrap();

    assert_eq!(certificate.trust_at(at(EXPIRY)), Trust::Verified, "the last second of its validity");
    assert!(!certificate.was_refused());
    assert_eq!(certificate.trust_at(at(EXPIRY + 1)), Trust::Refused);
    assert!(certificate.was_refused());

    let certificate = ClientCertificate::new(&[one.sign()], Arc::clone(&tls)).unwrap();
    assert_eq!(certificate.trust_at(at(EXPIRY)), Trust::Verified);
    // In the same second, the result of the other CA is not used.
    take_up(&with(&other));
    assert_eq!(certificate.trust_at(at(EXPIRY)), Trust::Refused);
    take_up(&with(&one));
    assert_eq!(certificate.trust_at(at(EXPIRY)), Trust::Verified);
    assert!(!certificate.was_refused());
    // No certificate is requested any more, so none that was presented before is used.
    take_up(&own_tls(folder.path()));
    assert_eq!(certificate.trust_at(at(EXPIRY)), Trust::Refused);
    take_up(&TlsPaths { any_client_certificate: true, ..own_tls(folder.path()) });
    assert_eq!(certificate.trust_at(at(EXPIRY)), Trust::Unverified);
    assert!(ClientCertificate::new(&[], tls).is_none());
}

#[test]
fn beside_a_ca_only_registered_certificates_are_used_unverified() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new(folder.path(), "ca");
    let own: CertificateDer<'static> = client().self_signed(&KeyPair::generate().unwrap()).unwrap().into();
    let stranger: CertificateDer<'static> =
        client().self_signed(&KeyPair::generate().unwrap()).unwrap().into();
    let paths = TlsPaths {
        client_ca: Some(ca.file.clone()),
        any_client_certificate: true,
        registered_certificates: vec![digest(&own), [0; 32]],
        ..own_tls(folder.path())
    };
    let tls = Arc::new(TlsReloader::load(&paths).unwrap());
    let trust = |certificate: &CertificateDer<'static>, second| {
        ClientCertificate::new(std::slice::from_ref(certificate), Arc::clone(&tls))
            .unwrap()
            .trust_at(at(second))
    };
    let signed = ca.sign();
    assert_eq!(trust(&signed, EXPIRY), Trust::Verified);
    assert_eq!(trust(&signed, EXPIRY + 1), Trust::Refused);
    assert_eq!(trust(&stranger, EXPIRY), Trust::Refused);
    // RFC 8705 §2.2: the registration vouches for it, not its dates.
    assert_eq!(trust(&own, EXPIRY + 1), Trust::Unverified);

    // The certificate of a client that was removed is not used, on connections that it has already as well.
    let kept = ClientCertificate::new(&[own], Arc::clone(&tls)).unwrap();
    assert_eq!(kept.trust_at(at(EXPIRY)), Trust::Unverified);
    let without = TlsPaths { registered_certificates: vec![[0; 32]], ..paths };
    assert!(tls.swap(tls.prepare(&without).unwrap()));
    assert_eq!(kept.trust_at(at(EXPIRY)), Trust::Refused);
}
