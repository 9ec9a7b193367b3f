//! The first certificate: before it is issued, afterwards, and together with certificates in files.

use super::{DAY, Setup, hello, state, wait_for, wait_for_use};
use crate::support::acme::{Shown, handshake, try_handshake};
use crate::support::certificates::{Authority, pem, self_signed};
use crate::support::metrics::Scrape;
use crate::support::{Conn, Gateway, raw, run};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[test]
fn the_first_certificate_is_ordered_while_other_listeners_serve() {
    let setup = Setup::new(DAY * 90);
    setup.authority.require_external_account("kid-1", &[7; 32]);
    let key = crate::support::jose::encode(&[7; 32]);
    let config = setup.config(&format!(
        "contact = [\"mailto:operators@a.test\"]\nexternal_account = {{ kid = \"kid-1\", hmac_secret = \"{key}\" }}"
    ));
    // The authority validates nothing yet.
    let gateway = Gateway::start(&config);
    raw(gateway.plain(), hello()).status(200);
    // Clients get the self-signed certificate, which is for this machine alone.
    for alpn in [&["http/1.1"][..], &[], &["h2"], &["acme-tls/1", "http/1.1"]] {
        let shown = try_handshake(gateway.tls(), "a.test", alpn, None).expect("a handshake");
        assert!(is_self_signed(&setup, &shown), "{alpn:?}");
    }
    Conn::tls(gateway.tls(), &["http/1.1"]).request(hello()).status(200);
    let error = try_handshake(gateway.tls(), "b.test", &["acme-tls/1"], None).err().expect("no challenge");
    assert!(error.to_string().contains("alert"), "{error}");
    assert!(gateway.written().contains("a self-signed certificate is served"), "{}", gateway.written());
    assert_eq!(state(gateway.dir()), serde_json::json!([{ "domain": "a.test", "not_after": null }]));
    assert_eq!(
        Scrape::of(&gateway).value("tollgate_acme_certificate_expiry_seconds{domain=\"a.test\"}"),
        0.0
    );

    setup.authority.lead_to(gateway.tls());
    wait_for_use(&gateway);
    let shown = handshake(gateway.tls(), "a.test", setup.authority.issuer_ca());
    assert_eq!((shown.chain.len(), shown.protocol.as_deref()), (2, Some(&b"http/1.1"[..])));
    Conn::tls(gateway.tls(), &["http/1.1"]).request(hello()).status(200);

    assert!(!is_self_signed(&setup, &shown));

    // After the challenge, a handshake with only `acme-tls/1` fails. Beside another protocol, `acme-tls/1` is
    // ignored.
    for name in ["a.test", "b.test"] {
        assert!(try_handshake(gateway.tls(), name, &["acme-tls/1"], None).is_err());
    }
    let both =
        try_handshake(gateway.tls(), "a.test", &["acme-tls/1", "http/1.1"], None).expect("a handshake");
    assert_eq!(both.protocol.as_deref(), Some(&b"http/1.1"[..]));

    for file in setup.files() {
        let mode = std::fs::metadata(&file).expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    assert_eq!(setup.authority.contacts(), ["mailto:operators@a.test"]);
    let metrics = Scrape::of(&gateway);
    assert_eq!(metrics.value("tollgate_acme_orders_total{result=\"issued\"}"), 1.0);
    assert!(metrics.value("tollgate_acme_certificate_expiry_seconds{domain=\"a.test\"}") > 1.7e9);
    assert!(state(gateway.dir())[0]["not_after"].as_str().is_some_and(|text| text.ends_with('Z')));
    let text = run(gateway.dir(), &["state"]).stdout;
    let days = [", 89 days", ", 90 days"].iter().any(|days| text.contains(days));
    assert!(text.contains("a.test") && days, "{text}");
    let written = gateway.written();
    assert!(!written.contains(&key) && !written.contains("PRIVATE KEY"), "{written}");
    setup.authority.assert_no_violation();
}

/// Returns whether the certificate is the one that the gateway makes for itself.
fn is_self_signed(setup: &Setup, shown: &Shown) -> bool {
    let file = std::fs::read_to_string(setup.state().join("self-signed.pem")).expect("self-signed.pem");
    let lines = |text: &str| text.lines().collect::<String>();
    lines(&file) == lines(&pem("CERTIFICATE", shown.certificate()))
}

#[test]
fn the_listener_for_operators_serves_before_the_first_certificate() {
    let setup = Setup::new(DAY * 90);
    let config = setup.config("").table("[admin]\nlisten = \"https://127.0.0.1:0\"");
    let gateway = Gateway::start(&config);
    gateway.wait_for("console https://");
    let written = gateway.written();
    let address = written.split_once("console https://").and_then(|(_, rest)| rest.split_whitespace().next());
    let address: SocketAddr = address.and_then(|address| address.parse().ok()).expect("an address");
    let sign_in = || {
        let request = format!("GET /sign-in HTTP/1.1\r\nHost: {address}\r\n\r\n");
        Conn::tls(address, &["http/1.1"]).request(request).status(200);
    };
    sign_in();
    let before = try_handshake(address, "a.test", &["http/1.1"], None).expect("a handshake");
    assert!(is_self_signed(&setup, &before));

    setup.authority.lead_to(gateway.tls());
    wait_for_use(&gateway);
    handshake(address, "a.test", setup.authority.issuer_ca());
    sign_in();
}

#[test]
fn each_domain_has_its_certificate_and_files_are_for_all_other_names() {
    let setup = Setup::new(DAY * 90);
    let file = self_signed("file.test");
    let folder = setup.folder.path();
    std::fs::write(folder.join("file.pem"), pem("CERTIFICATE", &file.certificate)).expect("file.pem");
    std::fs::write(folder.join("file.key"), pem("PRIVATE KEY", &file.key)).expect("file.key");
    // The gateway requests certificates from clients, but must not request one from the authority.
    std::fs::write(folder.join("clients.pem"), &Authority::new().pem).expect("clients.pem");
    let config = setup.config_for("domains = [\"a.test\", \"b.test\"]", "").table(&format!(
        "[server.tls]\ncertificate = {:?}\nkey = {:?}\nclient_ca = {:?}",
        folder.join("file.pem"),
        folder.join("file.key"),
        folder.join("clients.pem")
    ));
    let gateway = setup.start(&config);
    wait_for(&gateway, "new connections use the changed certificates", 1);
    for name in ["a.test", "b.test"] {
        handshake(gateway.tls(), name, setup.authority.issuer_ca());
    }
    for name in ["file.test", "c.test"] {
        let shown = try_handshake(gateway.tls(), name, &["http/1.1"], None).expect("a handshake");
        assert_eq!(shown.certificate(), file.certificate, "{name}");
    }
    assert_eq!((setup.authority.accounts(), setup.authority.orders()), (1, 2));
    setup.authority.assert_no_violation();
}

#[test]
fn a_restart_uses_what_is_stored_and_orders_nothing() {
    let setup = Setup::new(DAY * 90);
    let config = setup.config("");
    let mut gateway = setup.start(&config);
    wait_for_use(&gateway);
    let before = handshake(gateway.tls(), "a.test", setup.authority.issuer_ca()).certificate().to_vec();
    gateway.signal("TERM");
    gateway.wait(Duration::from_secs(15));

    setup.authority.change(|faults| faults.down = true);
    let mut gateway = setup.start(&config);
    // It is there from the first connection on.
    let after = handshake(gateway.tls(), "a.test", setup.authority.issuer_ca());
    assert_eq!(after.certificate(), before);
    assert_eq!(setup.authority.orders(), 1);
    gateway.signal("TERM");
    gateway.wait(Duration::from_secs(15));

    let certificate = setup.file("a.test.pem");
    std::fs::set_permissions(&certificate, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    std::fs::write(setup.folder.path().join("gateway.toml"), config.text()).expect("gateway.toml");
    let output = run(setup.folder.path(), &["run"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(
        output.stderr.contains("other users can read") && output.stderr.contains("a.test.pem"),
        "{output:?}"
    );
}
