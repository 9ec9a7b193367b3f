//! Servers whose requests fail: requests are retried elsewhere, the server is ejected and later readmitted.

use crate::support::upstream::ok;
use crate::support::{Fixture, Next, Upstream, get};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn before(servers: &[SocketAddr], lines: &str) -> Fixture {
    let urls: Vec<String> = servers.iter().map(|address| format!("http://{address}")).collect();
    Fixture::start(|config| {
        config
            .table(&format!("[upstreams.several]\nservers = {urls:?}\n{lines}"))
            .route("prefix = \"/e\"\naccess = \"public\"\nupstream = \"several\"")
            .route("path = \"/e/token\"\nscopes = [\"read\"]\nupstream = \"several\"")
    })
}

/// A server that resets every connection after reading a request, until it is switched.
fn faulty() -> (Upstream, Arc<AtomicBool>) {
    let server = Upstream::start();
    let well = Arc::new(AtomicBool::new(false));
    for path in ["/e/x", "/e/token"] {
        let is_well = Arc::clone(&well);
        server.on(path, move |_, out| {
            if !is_well.load(Ordering::Relaxed) {
                return Ok(Next::Reset);
            }
            out.write_all(&ok("{}")).map(|()| Next::KeepAlive)
        });
    }
    (server, well)
}

fn post(target: &str) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi").into_bytes()
}

#[test]
fn a_failing_server_is_ejected_under_every_balancing_policy() {
    for balance in ["round_robin", "random", "least_requests", "consistent"] {
        let ((bad, _), good) = (faulty(), Upstream::start());
        let lines =
            format!("balance = \"{balance}\"\nejection = {{ failures = 3, for = \"1h\", max = \"1h\" }}");
        let gateway = before(&[bad.address(), good.address()], &lines);
        let mut conn = gateway.connect();
        let deadline = Instant::now() + Duration::from_secs(10);
        // Failed requests are retried on the other server. By chance it takes a while until three have
        // failed.
        while bad.requests("/e/x").len() < 3 {
            assert!(Instant::now() < deadline, "{balance}: {} requests", bad.requests("/e/x").len());
            conn.request(get("/e/x", &[])).status(200);
        }
        gateway.gateway.wait_for(&format!("{} is ejected for 3600s", bad.address()));
        for _ in 0..50 {
            conn.request(get("/e/x", &[])).status(200);
        }
        assert_eq!(bad.requests("/e/x").len(), 3, "{balance}");
    }
}

#[test]
fn an_ejection_moves_only_the_clients_of_that_server() {
    let servers = [faulty().0, Upstream::start(), Upstream::start()];
    let clients: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
    let addresses = servers.each_ref().map(Upstream::address);
    let gateway = Fixture::start(|config| {
        let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
        clients
            .iter()
            .fold(config, |config, name| {
                config.client(name, crate::support::config::SECRET, "scopes = [\"read\"]")
            })
            .table(&format!(
                "[upstreams.several]\nservers = {urls:?}\nbalance = \"consistent\"\n\
                 ejection = {{ failures = 1, for = \"1h\", max = \"1h\" }}"
            ))
            .route("path = \"/e/token\"\nscopes = [\"read\"]\nupstream = \"several\"")
    });
    let bearers: Vec<String> = clients.iter().map(|client| gateway.bearer(client, "read")).collect();
    let home = |target: &str, bearer: &str| {
        gateway.raw(get(target, &[bearer])).status(200);
        servers.iter().rposition(|server| server.saw(target)).expect("somebody answered")
    };
    let at = |round: usize, n: usize| format!("/e/token?m={round}-{n}.");
    let first: Vec<usize> = bearers.iter().enumerate().map(|(n, bearer)| home(&at(1, n), bearer)).collect();
    // The faulty server failed its own clients' requests and is ejected: they were answered elsewhere.
    gateway.gateway.wait_for("is ejected for");
    let second: Vec<usize> = bearers.iter().enumerate().map(|(n, bearer)| home(&at(2, n), bearer)).collect();
    assert_eq!(first, second);
    assert!(first.contains(&1) && first.contains(&2), "{first:?}");
}

#[test]
fn a_recovered_server_gets_requests_again() {
    let ((bad, well), good) = (faulty(), Upstream::start());
    let gateway = before(
        &[bad.address(), good.address()],
        "ejection = { failures = 2, for = \"100ms\", return_over = \"100ms\" }",
    );
    let mut conn = gateway.connect();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !gateway.gateway.written().contains("is ejected for 100ms") {
        assert!(Instant::now() < deadline);
        conn.request(get("/e/x", &[])).status(200);
    }
    well.store(true, Ordering::Relaxed);
    let failed = bad.requests("/e/x").len();
    while bad.requests("/e/x").len() < failed + 20 {
        assert!(Instant::now() < deadline, "it does not return");
        conn.request(get("/e/x", &[])).status(200);
    }
    gateway.gateway.wait_for(&format!("{} gets requests again", bad.address()));
}

#[test]
fn an_only_server_is_never_ejected_and_all_ejected_servers_are_used() {
    let rule = "ejection = { failures = 1, for = \"1h\", max = \"1h\" }\nretries = 0";
    let (only, _) = faulty();
    let gateway = before(&[only.address()], rule);
    for _ in 0..5 {
        gateway.raw(post("/e/x")).problem(502);
    }
    assert_eq!(only.requests("/e/x").len(), 5);
    assert!(!gateway.gateway.written().contains("is ejected"));

    let ((one, _), (two, _)) = (faulty(), faulty());
    let gateway = before(&[one.address(), two.address()], rule);
    for _ in 0..12 {
        gateway.raw(post("/e/x")).problem(502);
    }
    for server in [&one, &two] {
        gateway.gateway.wait_for(&format!("{} is ejected for", server.address()));
    }
    let counts = [one.requests("/e/x").len(), two.requests("/e/x").len()];
    assert_eq!(counts, [6, 6], "if all servers are ejected, all of them get requests");
}

#[test]
fn server_errors_count_only_if_configured() {
    for (setting, left_out) in [("", false), (", server_errors = true", true)] {
        let (sad, good) = (Upstream::start(), Upstream::start());
        sad.on_bytes("/e/x", Next::KeepAlive, "HTTP/1.1 500 Sad\r\nContent-Length: 0\r\n\r\n");
        let rule = format!("ejection = {{ failures = 2, for = \"1h\", max = \"1h\"{setting} }}");
        let gateway = before(&[sad.address(), good.address()], &rule);
        let mut conn = gateway.connect();
        for _ in 0..20 {
            conn.request(get("/e/x", &[])).status_in(&[200, 500]);
        }
        let expected = if left_out { [2, 18] } else { [10, 10] };
        assert_eq!([sad.requests("/e/x").len(), good.requests("/e/x").len()], expected, "{setting}");
    }
}

#[test]
fn unsafe_requests_are_not_retried() {
    let ((bad, _), good) = (faulty(), Upstream::start());
    let gateway = before(&[bad.address(), good.address()], "ejection = false\nretries = 3");
    for _ in 0..6 {
        gateway.raw(post("/e/x")).status_in(&[200, 502]);
    }
    assert_eq!([bad.requests("/e/x").len(), good.requests("/e/x").len()], [3, 3]);
}

#[test]
fn the_retry_budget_bounds_the_added_load() {
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let statuses = |budget: &str| {
        let good = Upstream::start();
        let gateway = before(&[dead, good.address()], &format!("ejection = false\n{budget}"));
        let mut conn = gateway.connect();
        let answers: Vec<u16> = (0..400).map(|_| conn.request(get("/e/x", &[])).code()).collect();
        assert!(answers.iter().all(|status| [200, 502].contains(status)), "{answers:?}");
        answers.iter().filter(|status| **status == 502).count()
    };
    // Half of the requests, and then those retried, reach the dead server first.
    assert_eq!(statuses("retry_budget = { percent = 0, min_per_second = 0 }"), 200);
    assert_eq!(statuses("retry_budget = false"), 0);
    let some = statuses("retry_budget = { percent = 0, min_per_second = 3 }");
    assert!((100..200).contains(&some), "thirty are for ten seconds, and a few more come in them: {some}");
}

#[test]
fn no_request_is_lost_when_a_server_is_killed_and_restarted_under_load() {
    let (killed, other) = (Upstream::start(), Upstream::start());
    let address = killed.address();
    let gateway = before(
        &[address, other.address()],
        "retries = 2\nejection = { failures = 3, for = \"100ms\", return_over = \"100ms\" }",
    );
    let sending = AtomicBool::new(true);
    let deadline = Instant::now() + Duration::from_secs(20);
    let wait_until_received = |server: &Upstream, more: usize| {
        let received = || server.requests("/e/load").len();
        let wanted = received() + more;
        while received() < wanted && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        received() >= wanted
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut conn = gateway.connect();
                    let mut statuses = Vec::new();
                    while sending.load(Ordering::Relaxed) {
                        statuses.push(conn.request(get("/e/load", &[])).code());
                    }
                    statuses
                })
            })
            .collect();
        let mut reached = wait_until_received(&killed, 50);
        killed.stop();
        reached &= wait_until_received(&other, 100);
        let back = Upstream::start_at(address);
        reached &= wait_until_received(&back, 50);
        // Before any assertion, because the clients would send requests forever.
        sending.store(false, Ordering::Relaxed);
        assert!(reached, "a server got no requests, or none again");
        for client in clients {
            let statuses = client.join().expect("a client's statuses");
            assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        }
    });
    assert!(!gateway.gateway.written().contains("panicked"));
}
