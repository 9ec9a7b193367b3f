//! Connections to the engine over TLS.

use std::path::PathBuf;

use tempfile::TempDir;

use super::engine::{Engine, free_port};
use super::gateways::{Gateways, config};
use crate::support::certificates::{Authority, pem};
use crate::support::tls::Identity;
use crate::support::{Gateway, Upstream, get, raw};

/// An engine that demands a certificate from its clients, and the files of both sides.
struct Encrypted {
    engine: Engine,
    port: u16,
    folder: TempDir,
}

impl Encrypted {
    /// Starts an engine whose certificate is for `name`.
    fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let encrypted = |file: &str| folder.path().join(file).to_str().expect("a path of UTF-8").to_owned();
        std::fs::write(encrypted("ca.pem"), &authority.pem).expect("a file");
        std::fs::write(encrypted("other-ca.pem"), &Authority::new().pem).expect("a file");
        for (file, identity) in [
            ("engine", authority.sign(name)),
            ("gateway", authority.sign("gateway.example.test")),
            ("stranger", Authority::new().sign("gateway.example.test")),
        ] {
            let Identity { certificate, key } = identity;
            std::fs::write(encrypted(&format!("{file}.pem")), pem("CERTIFICATE", &certificate))
                .expect("a file");
            std::fs::write(encrypted(&format!("{file}.key")), pem("PRIVATE KEY", &key)).expect("a file");
        }
        let port = free_port();
        let engine = Engine::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-ca-cert-file",
            &encrypted("ca.pem"),
            "--tls-cert-file",
            &encrypted("engine.pem"),
            "--tls-key-file",
            &encrypted("engine.key"),
            "--tls-auth-clients",
            "yes",
        ]);
        Self { engine, port, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the lines of `[store]` for a gateway that trusts `ca`, with the certificate of `client` if
    /// there is one.
    fn store(&self, ca: &str, client: Option<&str>) -> String {
        let client = client.map(|client| {
            let (certificate, key) =
                (self.file(&format!("{client}.pem")), self.file(&format!("{client}.key")));
            format!(", client_certificate = {certificate:?}, client_key = {key:?}")
        });
        let (ca, client) = (self.file(ca), client.unwrap_or_default());
        format!("url = \"rediss://127.0.0.1:{}\"\ntls = {{ ca = {ca:?}{client} }}", self.port)
    }
}

#[test]
fn gateways_share_an_engine_over_tls_with_certificates_on_both_sides() {
    let encrypted = Encrypted::start("127.0.0.1");
    let store = encrypted.store("ca.pem", Some("gateway"));
    let gateways = Gateways::start(&[&store, &store]);
    let token = gateways.token(0);
    gateways.all_answer(&token, 200);
    gateways.revoke(1, &token).status(200);
    gateways.all_answer(&token, 401);
    // Only the two gateways are connected to the encrypted port.
    assert!(encrypted.engine.run(&["CLIENT", "LIST"]).matches(&format!(":{} ", encrypted.port)).count() >= 6);
}

#[test]
fn an_engine_that_is_not_verified_or_does_not_accept_the_gateway_is_not_used() {
    let encrypted = Encrypted::start("127.0.0.1");
    let misnamed = Encrypted::start("engine.example.test");
    let refused = [
        ("the engine's authority is another one", encrypted.store("other-ca.pem", Some("gateway"))),
        ("the engine has another name", misnamed.store("ca.pem", Some("gateway"))),
        ("the gateway has no certificate", encrypted.store("ca.pem", None)),
        ("the gateway's authority is another one", encrypted.store("ca.pem", Some("stranger"))),
        ("no TLS at a port for TLS", format!("url = \"redis://127.0.0.1:{}\"", encrypted.port)),
    ];
    let upstream = Upstream::start();
    let token = tollgate::oauth::AccessToken::from_random(&[7; 32]);
    let bearer = format!("Authorization: Bearer {}", token.expose());
    for (what, store) in refused {
        let gateway = Gateway::start(&config(upstream.address(), &store));
        gateway.wait_for("the shared store at 127.0.0.1:");
        assert!(gateway.written().contains(" cannot be "), "{what}: {}", gateway.written());
        let answer = raw(gateway.plain(), get("/hello", &[&bearer]));
        assert_eq!(answer.code(), 503, "{what}: {answer}");
    }
    for engine in [&encrypted.engine, &misnamed.engine] {
        assert_eq!(engine.run(&["DBSIZE"]), "0", "nothing was written");
    }
}
