//! Renewals: under traffic, after an upgrade, and when the authority suggests them.

use super::{DAY, Setup, hello, wait_for, wait_for_use};
use crate::support::acme::{handshake, try_handshake};
use crate::support::program::run_upgrade;
use crate::support::tls::shown;
use crate::support::{Conn, Gateway};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(8);

/// Clients that keep their connection, and clients that connect for each request, until they are stopped. Every
/// response must have status 200.
struct Load(Arc<AtomicBool>, Vec<thread::JoinHandle<usize>>);

impl Load {
    fn start(gateway: &Gateway) -> Self {
        let (stop, address) = (Arc::<AtomicBool>::default(), gateway.tls());
        let clients = [true, true, false, false].map(|keeps| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let connect = || Conn::tls(address, &["http/1.1"]);
                let (mut conn, mut requests) = (connect(), 0);
                while !stop.load(Ordering::Relaxed) {
                    if !keeps {
                        conn = connect();
                    }
                    conn.request(hello()).status(200);
                    requests += 1;
                    thread::sleep(Duration::from_millis(2));
                }
                requests
            })
        });
        Self(stop, clients.into())
    }

    #[track_caller]
    fn end(self) {
        self.0.store(true, Ordering::Relaxed);
        for client in self.1 {
            assert!(client.join().expect("every request was answered with 200") > 0);
        }
    }
}

#[test]
fn renewals_under_traffic_break_no_connection() {
    let setup = Setup::new(SHORT);
    let gateway = setup.start(&setup.config("renew_percent_left = 60"));
    wait_for_use(&gateway);
    let first = shown(gateway.tls());
    let load = Load::start(&gateway);
    setup.authority.wait("the third certificate", |authority| authority.issued() >= 3);
    wait_for(&gateway, "new connections use the changed certificates", 2);
    load.end();
    assert_ne!(shown(gateway.tls()), first);
    assert!(!gateway.written().contains("no new certificate"), "{}", gateway.written());
    setup.authority.assert_no_violation();
}

#[test]
fn a_suggested_renewal_names_the_certificate_that_it_replaces() {
    let setup = Setup::new(DAY * 90);
    setup.authority.suggest_renewal(true);
    let gateway = setup.start(&setup.config("max_orders_per_hour = 2"));
    setup.authority.wait("the renewal", |authority| authority.issued() == 2);
    assert!(setup.authority.has_replacement());
    // The suggestion stays, and the limit ends it.
    wait_for(&gateway, "no certificates are ordered now, because 2 were ordered within an hour", 0);
    assert_eq!(setup.authority.orders(), 2);
    handshake(gateway.tls(), "a.test", setup.authority.issuer_ca());
    setup.authority.assert_no_violation();
}

#[test]
fn after_an_upgrade_the_new_process_renews_and_one_orders_at_a_time() {
    let setup = Setup::new(DAY * 90);
    let gateway = setup.start(&setup.config("renew_percent_left = 60").server("shutdown_grace = \"1s\""));
    wait_for_use(&gateway);
    let before = shown(gateway.tls());
    let (_, _guard) = run_upgrade(gateway.dir());
    assert_eq!(shown(gateway.tls()), before, "the new process has the certificate at once");
    assert_eq!((setup.authority.orders(), setup.authority.accounts()), (1, 1));

    // The stored certificate is removed, so that a new one is due.
    setup.authority.set_lifetime(SHORT);
    std::fs::remove_file(setup.file("a.test.pem")).expect("a.test.pem");
    gateway.rewrite(|text| text.replace("renew_percent_left = 60", "renew_percent_left = 50"));
    wait_for(&gateway, "a certificate was issued", 1);
    setup.authority.wait("a renewal", |authority| authority.issued() >= 3);
    assert_eq!((setup.authority.most_open_orders(), setup.authority.accounts()), (1, 1));
    try_handshake(gateway.tls(), "a.test", &["h2"], None).expect("a handshake");
    setup.authority.assert_no_violation();
}
