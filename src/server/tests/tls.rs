//! TLS, ALPN and HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::config::CertificateFiles;
use crate::tls::provider;

async fn tls_connect(addr: SocketAddr, config: rustls::ClientConfig) -> TlsStream<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

fn client_config(state: &Path, alpn: &[u8], identity: Option<(&str, &str)>) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(state.join("self-signed.pem")).unwrap()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn https1(addr: SocketAddr, config: rustls::ClientConfig) -> String {
    let io = TokioIo::new(tls_connect(addr, config).await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    text(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn tls_speaks_what_alpn_agreed_on() {
    let state = tempfile::tempdir().unwrap();
    let server = Running::start(tls(state.path()));
    let answer = https1(server.addr(), client_config(state.path(), b"http/1.1", None)).await;
    assert!(answer.starts_with("HTTP/1.1 tls=true certificate=false"), "{answer}");

    let io = TokioIo::new(tls_connect(server.addr(), client_config(state.path(), b"h2", None)).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = || Request::get("https://localhost/").body(Empty::<Bytes>::new()).unwrap();
    let (one, two) = tokio::join!(sender.clone().send_request(request()), sender.send_request(request()));
    for response in [one, two] {
        let answer = text(response.unwrap()).await;
        assert!(answer.starts_with("HTTP/2.0 tls=true"), "{answer}");
    }
}

#[tokio::test]
async fn a_listener_speaks_h2c_if_it_is_configured() {
    let mut options = plain(Limits::default());
    options.listeners[0].h2c = true;
    let server = Running::start(options);
    let io = TokioIo::new(tokio::net::TcpStream::connect(server.addr()).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://localhost/").body(Empty::<Bytes>::new()).unwrap();
    let answer = text(sender.send_request(request).await.unwrap()).await;
    assert!(answer.starts_with("HTTP/2.0 tls=false"), "{answer}");
}

/// Creates a certificate authority, and writes its certificate to `file`.
pub(super) fn authority(file: &Path) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(file, params.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(params, key)
}

#[tokio::test]
async fn client_certificates_are_verified_and_optional() {
    let state = tempfile::tempdir().unwrap();
    let issuer = authority(&state.path().join("ca.pem"));
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["client".into()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let key = key.serialize_pem();

    let mut options = tls(state.path());
    options.tls.as_mut().unwrap().client_ca = Some(state.path().join("ca.pem"));
    let server = Running::start(options);
    let with = client_config(state.path(), b"http/1.1", Some((&certificate, &key)));
    assert!(https1(server.addr(), with).await.contains("certificate=true"));
    let without = client_config(state.path(), b"http/1.1", None);
    assert!(https1(server.addr(), without).await.contains("certificate=false"));
}

#[tokio::test]
async fn any_client_certificate_is_accepted_if_that_is_configured() {
    let state = tempfile::tempdir().unwrap();
    let issuer = authority(&state.path().join("ca.pem"));
    let params = || rcgen::CertificateParams::new(["client".into()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let signed = params().signed_by(&key, &issuer).unwrap().pem();
    let own = params().self_signed(&key).unwrap().pem();
    let key = key.serialize_pem();
    let shows = |pem: &str| client_config(state.path(), b"http/1.1", Some((pem, &key)));

    // With a CA, a certificate is used if the CA has signed it, or if it is registered. Without one, nothing
    // is verified.
    let own_digest = Sha256::digest(CertificateDer::from_pem_slice(own.as_bytes()).unwrap()).into();
    for (with_ca, verified) in [(true, "verified=true"), (false, "verified=false")] {
        let mut options = tls(state.path());
        let paths = options.tls.as_mut().unwrap();
        paths.client_ca = with_ca.then(|| state.path().join("ca.pem"));
        paths.any_client_certificate = true;
        paths.registered_certificates = vec![own_digest];
        let server = Running::start(options);
        let answer = https1(server.addr(), shows(&signed)).await;
        assert!(answer.contains("certificate=true") && answer.contains(verified), "{answer}");
        let answer = https1(server.addr(), shows(&own)).await;
        assert!(answer.contains("certificate=true") && answer.contains("verified=false"), "{answer}");
        let without = client_config(state.path(), b"http/1.1", None);
        assert!(https1(server.addr(), without).await.contains("certificate=false"));
        // A resumed session shows the certificate of the first.
        let (config, io) = (shows(&signed), tokio::net::TcpStream::connect);
        let connector = TlsConnector::from(Arc::new(config));
        for _ in 0..2 {
            let name = ServerName::try_from("localhost").unwrap();
            let io = TokioIo::new(connector.connect(name, io(server.addr()).await.unwrap()).await.unwrap());
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
            let answer = text(sender.send_request(request).await.unwrap()).await;
            assert!(answer.contains("certificate=true") && answer.contains(verified), "{answer}");
        }
    }

    // The setting is applied and removed while the server runs.
    let bound = Bound::bind(tls(state.path())).unwrap();
    let reloader = bound.tls().unwrap();
    let server = Running::of(bound, answering());
    let mut before = false;
    for any in [false, true, false] {
        let paths = TlsPaths { any_client_certificate: any, ..own_tls(state.path()) };
        assert_eq!(reloader.swap(reloader.prepare(&paths).unwrap()), any != before);
        before = any;
        let answer = https1(server.addr(), shows(&own)).await;
        assert!(answer.contains(&format!("certificate={any}")), "{answer}");
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let mut options = tls(state.path());
    options.tls.as_mut().unwrap().any_client_certificate = true;
    let server = Running::start(options);
    let key = rcgen::KeyPair::generate().unwrap();
    let der =
        rcgen::CertificateParams::new(["client".into()]).unwrap().self_signed(&key).unwrap().der().clone();
    let other = rcgen::KeyPair::generate().unwrap();
    let mut config = client_config(state.path(), b"http/1.1", None);
    let signer = provider().key_provider.load_private_key(PrivateKeyDer::Pkcs8(other.serialize_der().into()));
    let stolen = rustls::sign::CertifiedKey::new(vec![der], signer.unwrap());
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
    let stream = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    // In TLS 1.3, the client completes the handshake before the server has verified the certificate. The
    // client detects the refusal at its first read.
    if let Ok(mut stream) = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer).await;
        assert!(end.is_err() && answer.is_empty(), "{end:?} {}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn a_server_does_not_start_with_an_unusable_certificate() {
    let state = tempfile::tempdir().unwrap();
    let key = self_signed(&state.path().join("other")).unwrap().key;
    let paths = TlsPaths::new(vec![CertificateFiles { key, ..self_signed(state.path()).unwrap() }]);
    let options = ServerOptions { tls: Some(paths), ..tls(state.path()) };
    let error = Bound::bind(options).err().unwrap().to_string();
    assert!(error.contains("does not belong to the certificate in"), "{error}");
    let options = ServerOptions { tls: None, ..tls(state.path()) };
    assert!(Bound::bind(options).err().unwrap().to_string().contains("TLS needs a certificate"));
}

#[tokio::test]
async fn a_new_certificate_serves_the_next_handshake() {
    let state = tempfile::tempdir().unwrap();
    let bound = Bound::bind(tls(state.path())).unwrap();
    let reloader = bound.tls().unwrap();
    let server = Running::of(bound, answering());
    let before = own_tls(state.path());
    std::fs::remove_file(state.path().join("self-signed.key")).unwrap();
    assert!(reloader.prepare(&before).is_err());
    let after = own_tls(state.path());
    assert!(reloader.swap(reloader.prepare(&after).unwrap()));
    assert!(!reloader.swap(reloader.prepare(&after).unwrap()), "nothing changed");
    // This client trusts only the new certificate.
    tls_connect(server.addr(), client_config(state.path(), b"h2", None)).await;
}

#[tokio::test]
async fn a_drain_lets_http2_streams_finish() {
    let state = tempfile::tempdir().unwrap();
    let server = Running::start(tls(state.path()));
    let io = TokioIo::new(tls_connect(server.addr(), client_config(state.path(), b"h2", None)).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://localhost/slow").body(Empty::<Bytes>::new()).unwrap();
    let response = tokio::spawn(sender.send_request(request));
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.shutdown.drain();
    assert_eq!(text(response.await.unwrap().unwrap()).await, "slow");
    connection.await.unwrap().unwrap();
    assert_eq!(server.exit(), ExitReason::Drained);
}
