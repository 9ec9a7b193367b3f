//! What goes wrong between the gateway and the authority.

use super::{DAY, Setup, hello, wait_for, wait_for_use};
use crate::support::acme::handshake;
use crate::support::metrics::{Scrape, address};
use crate::support::tls::shown;
use crate::support::{get, raw};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ISSUED: &str = "a certificate was issued";

#[test]
fn a_failed_renewal_keeps_the_certificate_and_is_reported_once() {
    let setup = Setup::new(Duration::from_secs(60));
    // A renewal is due after six seconds.
    let gateway = setup.start(&setup.config("renew_percent_left = 90"));
    wait_for_use(&gateway);
    setup.authority.change(|faults| faults.invalid = vec!["a.test".to_owned()]);
    let message = "a.test: no new certificate was issued, and the previous one stays in use until";
    wait_for(&gateway, message, 0);
    let before = shown(gateway.tls());
    let orders = setup.authority.orders();
    setup.authority.wait("two more attempts", |authority| authority.orders() >= orders + 2);
    assert_eq!(shown(gateway.tls()), before);
    assert_eq!(gateway.times_written(message), 1, "{}", gateway.written());
    assert!(gateway.written().contains("does not lead here (a fault of the test)"), "{}", gateway.written());
    setup.authority.change(|faults| faults.invalid.clear());
    wait_for(&gateway, "a.test: a certificate was issued again, valid until", 0);
    wait_for(&gateway, "new connections use the changed certificates", 1);
    assert_ne!(shown(gateway.tls()), before);
    setup.authority.assert_no_violation();
}

#[test]
fn an_authority_that_is_down_at_the_start_is_asked_again() {
    let setup = Setup::new(DAY * 90);
    setup.authority.change(|faults| faults.down = true);
    let gateway = setup.start(&setup.config(""));
    wait_for(&gateway, "a.test has no certificate, and none was issued: the authority cannot be reached", 0);
    raw(gateway.plain(), hello()).status(200);
    for path in ["/healthz", "/readyz"] {
        raw(address(&gateway), get(path, &[])).status(200);
    }
    setup.authority.change(|faults| {
        faults.down = false;
        faults.bad_nonces = 2;
        faults.processing = 2;
    });
    wait_for_use(&gateway);
    handshake(gateway.tls(), "a.test", setup.authority.issuer_ca());
    wait_for(&gateway, "a certificate was issued again", 0);
    let metrics = Scrape::of(&gateway);
    assert!(metrics.value("tollgate_acme_orders_total{result=\"failed\"}") >= 1.0);
    setup.authority.assert_no_violation();
}

#[test]
fn an_authority_with_another_certificate_is_not_trusted() {
    let setup = Setup::new(DAY * 90);
    let ca = setup.folder.path().join("ca.pem");
    std::fs::write(&ca, setup.authority.issuer_ca()).expect("ca.pem");
    let gateway = setup.start(&setup.config(""));
    wait_for(&gateway, "the authority cannot be reached: TLS fails", 0);
    assert_eq!(setup.authority.accounts(), 0);
    std::fs::write(&ca, setup.authority.own_ca()).expect("ca.pem");
    wait_for(&gateway, ISSUED, 0);
    setup.authority.assert_no_violation();
}

#[test]
fn an_authority_that_limits_orders_gets_no_order_before_the_time_that_it_names() {
    let setup = Setup::new(DAY * 90);
    setup.authority.change(|faults| faults.rate_limited = Some(7_200));
    let gateway = setup.start(&setup.config(""));
    wait_for(&gateway, "too many certificates (urn:ietf:params:acme:error:rateLimited); next attempt at", 0);
    let attempts = std::fs::read(setup.file("attempts.json")).expect("attempts.json");
    let attempts: serde_json::Value = serde_json::from_slice(&attempts).expect("JSON");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let next = attempts["failures"]["a.test"]["next"].as_u64().expect("a moment");
    assert!((now + 6_900..=now + 7_200).contains(&next), "{attempts}");
    // The wait survives a restart.
    drop(gateway);
    setup.authority.change(|faults| faults.rate_limited = None);
    let gateway = setup.start(&setup.config(""));
    // The sample exists when the gateway has checked which certificates are due.
    let sample = "tollgate_acme_certificate_expiry_seconds{domain=\"a.test\"}";
    setup.authority.wait("a look", |_| Scrape::of(&gateway).keys().contains(sample));
    assert_eq!(setup.authority.orders(), 0);
    setup.authority.assert_no_violation();
}
