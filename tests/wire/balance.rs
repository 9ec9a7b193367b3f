//! Load balancing: which server of an upstream a request goes to.

use crate::support::config::SECRET;
use crate::support::{Fixture, Next, Upstream, get};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A gateway in front of several servers, with all routes below `/b` public except `/b/token`.
fn balanced(balance: &str, servers: &[SocketAddr], change: &str) -> Fixture {
    let urls: Vec<String> = servers.iter().map(|address| format!("http://{address}")).collect();
    Fixture::start(|config| {
        (0..8)
            .fold(config, |config, n| config.client(&format!("c{n}"), SECRET, "scopes = [\"read\"]"))
            .table(&format!("[upstreams.several]\nservers = {urls:?}\nbalance = \"{balance}\"\n{change}"))
            .route("prefix = \"/b\"\naccess = \"public\"\nupstream = \"several\"")
            .route("path = \"/b/token\"\nscopes = [\"read\"]\nupstream = \"several\"")
    })
}

fn counts(servers: &[Upstream], marker: &str) -> Vec<usize> {
    servers.iter().map(|server| server.requests(marker).len()).collect()
}

#[test]
fn random_reaches_all_servers() {
    let servers = [Upstream::start(), Upstream::start()];
    let gateway = balanced("random", &servers.each_ref().map(Upstream::address), "");
    let mut conn = gateway.connect();
    for _ in 0..64 {
        conn.request(get("/b/x", &[])).status(200);
    }
    let found = counts(&servers, "/b/x");
    assert_eq!(found.iter().sum::<usize>(), 64);
    // Fewer than one run in 10^9 gives one of them so few.
    assert!(found.iter().all(|count| *count > 7), "{found:?}");
}

#[test]
fn a_busy_server_gets_fewer_requests() {
    let servers = [Upstream::start(), Upstream::start()];
    let (release, released) = channel::<()>();
    let released = std::sync::Arc::new(Mutex::new(released));
    for server in &servers {
        let released = released.clone();
        server.on("/b/long", move |_, out| {
            out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")?;
            let _ = released.lock().expect("the channel").recv_timeout(Duration::from_secs(10));
            out.write_all(b"rest").map(|()| Next::KeepAlive)
        });
    }
    let gateway = balanced("least_requests", &servers.each_ref().map(Upstream::address), "");
    let mut long = gateway.connect();
    long.send(get("/b/long", &[]));
    long.read_only_head().status(200);
    let busy = usize::from(servers[1].saw("/b/long"));
    let mut conn = gateway.connect();
    for _ in 0..10 {
        conn.request(get("/b/during", &[])).status(200);
    }
    assert_eq!(servers[busy].requests("/b/during").len(), 0, "the answer was still under way there");
    assert_eq!(servers[1 - busy].requests("/b/during").len(), 10);
    release.send(()).expect("a handler waits");
    long.read_some("halfrest");
    for _ in 0..10 {
        conn.request(get("/b/after", &[])).status(200);
    }
    assert_eq!(counts(&servers, "/b/after"), [5, 5]);
}

#[test]
fn a_client_keeps_its_server() {
    let servers = [Upstream::start(), Upstream::start(), Upstream::start()];
    let gateway = balanced("consistent", &servers.each_ref().map(Upstream::address), "");
    for client in 0..8 {
        let (one, two) =
            (gateway.bearer(&format!("c{client}"), "read"), gateway.bearer(&format!("c{client}"), "read"));
        let marker = format!("m=client-{client}.");
        for bearer in [&one, &two, &one] {
            gateway.raw(get(&format!("/b/token?{marker}"), &[bearer])).status(200);
        }
        let found = counts(&servers, &marker);
        assert!(found.contains(&3), "{found:?}");
    }
    // Requests without a client are distributed in turn.
    for _ in 0..3 {
        gateway.raw(get("/b/public", &[])).status(200);
    }
    assert_eq!(counts(&servers, "/b/public"), [1, 1, 1]);
}

#[test]
fn a_retry_goes_to_another_server() {
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    for balance in ["round_robin", "random", "least_requests", "consistent"] {
        let alive = Upstream::start();
        let gateway = balanced(balance, &[dead, alive.address()], "retries = 1");
        let mut conn = gateway.connect();
        for client in 0..8 {
            let bearer = gateway.bearer(&format!("c{client}"), "read");
            conn.request(get("/b/token?m=retried", &[&bearer])).status(200);
        }
        assert_eq!(alive.requests("m=retried").len(), 8, "{balance}");
    }
}
