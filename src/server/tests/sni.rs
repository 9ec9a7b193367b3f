//! The certificate for the server name that a client sends.

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::CertificateFiles;
use crate::oauth::certificate::Certificate;
use crate::tls::provider;
use crate::tls::server_verifier::ServerVerifier;

fn files(
    folder: &Path,
    name: &str,
    names: &[&str],
    algorithm: &'static SignatureAlgorithm,
) -> CertificateFiles {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let files = CertificateFiles {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

/// Connects as a client that can verify these signatures, and returns the first name in the certificate of
/// the server.
async fn shown(addr: SocketAddr, name: &str, schemes: &[SignatureScheme]) -> String {
    let provider = provider();
    let known = provider.signature_verification_algorithms;
    let mapping = known.mapping.iter().filter(|(scheme, _)| schemes.contains(scheme)).copied();
    let mapping = mapping.collect::<Vec<_>>().leak();
    let algorithms = WebPkiSupportedAlgorithms { mapping, ..known };
    let provider =
        CryptoProvider { signature_verification_algorithms: algorithms, ..CryptoProvider::clone(&provider) };
    let verifier = ServerVerifier::new(&provider, Vec::new());
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let certificate = &stream.get_ref().1.peer_certificates().unwrap()[0];
    Certificate::parse(certificate).unwrap().dns_names().next().unwrap().to_owned()
}

const ECDSA: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

#[tokio::test]
async fn the_server_name_picks_the_certificate() {
    let state = tempfile::tempdir().unwrap();
    let p256 = &rcgen::PKCS_ECDSA_P256_SHA256;
    let default = files(state.path(), "default", &["default.test"], p256);
    let exact = files(state.path(), "exact", &["api.example.com", "alias.test"], p256);
    let wildcard = files(state.path(), "wildcard", &["*.example.com"], p256);
    let edwards = files(state.path(), "edwards", &["ed.test", "alias.test"], &rcgen::PKCS_ED25519);
    let paths = TlsPaths::new(vec![default.clone(), exact, wildcard, edwards]);
    let bound = Bound::bind(ServerOptions { tls: Some(paths), ..tls(state.path()) }).unwrap();
    let reloader = bound.tls().unwrap();
    let server = Running::of(bound, answering());
    for (name, expected) in [
        ("api.example.com", "api.example.com"),
        ("API.Example.Com", "api.example.com"),
        ("other.example.com", "*.example.com"),
        // A wildcard stands for one label.
        ("a.b.example.com", "default.test"),
        ("example.com", "default.test"),
        ("unknown.test", "default.test"),
        ("127.0.0.1", "default.test"),
    ] {
        assert_eq!(shown(server.addr(), name, &[ECDSA]).await, expected, "{name}");
    }
    // Two certificates have this name: the first that the client can verify is shown.
    assert_eq!(
        shown(server.addr(), "alias.test", &[ECDSA, SignatureScheme::ED25519]).await,
        "api.example.com"
    );
    assert_eq!(shown(server.addr(), "alias.test", &[SignatureScheme::ED25519]).await, "ed.test");

    let replaced = files(state.path(), "new", &["api.example.com", "other.example.com"], p256);
    let prepared = reloader.prepare(&TlsPaths::new(vec![default, replaced])).unwrap();
    assert!(reloader.swap(prepared));
    assert_eq!(shown(server.addr(), "other.example.com", &[ECDSA]).await, "api.example.com");
}
