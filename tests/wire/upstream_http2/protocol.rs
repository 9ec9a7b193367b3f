//! Which servers speak HTTP/2.

use super::{config, wrote};
use crate::support::h2_upstream::{H2Upstream, fine};
use crate::support::{Conn, Gateway, Upstream, get};
use std::sync::Arc;

/// Returns a certificate for localhost: the server's configuration, and the PEM for clients that trust it.
fn certificate(alpn: &[&[u8]]) -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a server's configuration");
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (Arc::new(config), made.cert.pem())
}

#[test]
fn over_tls_alpn_must_select_h2() {
    for (alpn, agrees) in [(&[&b"h2"[..], b"http/1.1"][..], true), (&[b"http/1.1"], false), (&[], false)] {
        let (tls, pem) = certificate(alpn);
        let upstream = H2Upstream::with(None, Some(tls), |_| fine("done"));
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, pem).expect("the certificate");
        let lines = format!("tls = {{ ca = {ca:?} }}");
        let gateway = Gateway::start(&config("https", upstream.address(), &lines));
        let answer = Conn::plain(gateway.plain()).request(get("/tls", &[]));
        if agrees {
            answer.status(200);
            assert_eq!(upstream.only("/tls").head.uri.scheme_str(), Some("https"));
        } else {
            answer.problem(502);
            wrote(&gateway, "does not agree to HTTP/2 over TLS (ALPN)");
        }
    }
}

#[test]
fn a_server_without_http_2_is_502() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config("http", upstream.address(), ""));
    for _ in 0..2 {
        Conn::plain(gateway.plain()).request(get("/", &[])).status_in(&[502, 504]);
    }
}
