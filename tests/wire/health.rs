//! Health checks: what reaches the servers, and which server is picked while some or all are unhealthy.

use crate::support::upstream::ok;
use crate::support::{Config, Fixture, Gateway, Next, Upstream, get};
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Eight in a row, because a busy machine may delay some probes.
const CHECK: &str = "health_check = { path = \"/health?deep=1\", interval = \"50ms\", unhealthy_after = 8 }";

/// A server whose health page responds with a configurable status.
fn with_health(server: &Upstream) -> Arc<AtomicU16> {
    let status = Arc::new(AtomicU16::new(200));
    let shared = Arc::clone(&status);
    server.on("/health", move |_, out| {
        let status = shared.load(Ordering::Relaxed);
        out.write_all(format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
        Ok(Next::KeepAlive)
    });
    status
}

/// Adds an upstream `several` with these servers behind the public path `/s`.
fn several(config: Config, servers: &[&Upstream], lines: &str) -> Config {
    let urls: Vec<String> = servers.iter().map(|server| format!("http://{}", server.address())).collect();
    config
        .table(&format!("[upstreams.several]\nservers = {urls:?}\nretries = 0\n{lines}"))
        .route("prefix = \"/s\"\naccess = \"public\"\nupstream = \"several\"")
}

#[track_caller]
fn send_requests(gateway: &Gateway, target: &str, times: usize) {
    let mut conn = crate::support::Conn::plain(gateway.plain());
    for _ in 0..times {
        conn.request(get(target, &[])).status(200);
    }
}

fn served(servers: &[&Upstream], marker: &str) -> Vec<usize> {
    servers.iter().map(|server| server.requests(marker).len()).collect()
}

/// Waits until a condition holds.
#[track_caller]
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_unhealthy_server_gets_no_requests_until_it_recovers() {
    for balance in ["round_robin", "random", "least_requests", "consistent"] {
        let (ill, well) = (Upstream::start(), Upstream::start());
        let health = with_health(&ill);
        let lines = format!(
            "{CHECK}\nbalance = \"{balance}\"\ncredentials = {{ header = \"X-Api-Key\", value = \"k3y-f0r-legacy\" }}"
        );
        let gateway = Fixture::start(|config| several(config, &[&ill, &well], &lines));
        health.store(500, Ordering::Relaxed);
        let name = format!("\"several\": {}", ill.address());
        gateway.gateway.wait_for(&format!("{name} is unhealthy: status 500 instead of 200-399 (8 in a row)"));
        send_requests(&gateway.gateway, "/s/while-ill", 20);
        assert_eq!(served(&[&ill, &well], "/s/while-ill"), [0, 20], "{balance}");
        health.store(204, Ordering::Relaxed);
        gateway.gateway.wait_for(&format!("{name} is healthy again"));
        // Slow start: only a few requests at first.
        wait_until("the server receives requests again", || {
            send_requests(&gateway.gateway, "/s/again", 1);
            ill.saw("/s/again")
        });

        let probe = &ill.requests("/health")[0];
        assert_eq!(probe.line, "GET /health?deep=1 HTTP/1.1", "{}", probe.text());
        assert_eq!(probe.all("host"), [ill.address().to_string()], "{}", probe.text());
        assert_eq!(probe.all("x-api-key"), ["k3y-f0r-legacy"], "{}", probe.text());
        assert!(!gateway.gateway.written().contains("k3y-f0r-legacy"));
    }
}

#[test]
fn with_no_healthy_server_no_request_is_sent() {
    for count in [1, 2] {
        let servers: Vec<Upstream> = (0..count).map(|_| Upstream::start()).collect();
        let health: Vec<_> = servers.iter().map(with_health).collect();
        let servers: Vec<&Upstream> = servers.iter().collect();
        let gateway = Fixture::start(|config| {
            several(config, &servers, CHECK)
                .route("path = \"/s/token\"\nscopes = [\"read\"]\nupstream = \"several\"")
        });
        send_requests(&gateway.gateway, "/s/before", 2);
        health.iter().for_each(|health| health.store(503, Ordering::Relaxed));
        for server in &servers {
            gateway.gateway.wait_for(&format!("{} is unhealthy", server.address()));
        }
        let answer = gateway.raw(get("/s/during", &[]));
        answer.problem(503).has("retry-after", "5");
        assert!(!answer.head().contains("127.0.0.1") && !answer.body().windows(9).any(|w| w == b"127.0.0.1"));
        // A client without a token learns nothing about it.
        gateway.raw(get("/s/token", &[])).bearer_error(401, None);
        assert!(servers.iter().all(|server| !server.saw("/s/during")));
        health.iter().for_each(|health| health.store(200, Ordering::Relaxed));
        wait_until("requests are answered again", || gateway.raw(get("/s/after", &[])).code() == 200);
    }
}

#[test]
fn probe_responses_are_classified_and_logged() {
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"X-More: 1\r\n".repeat(20_000);
    // Name, health page, settings, and the logged reason (`None` if the server is healthy).
    let rows: &[(&str, &str, &str, Option<&str>)] = &[
        ("redirects", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "", None),
        ("without_length", "HTTP/1.1 200 OK\r\n\r\nand more to come", "", None),
        (
            "early",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "",
            None,
        ),
        ("narrow", "HTTP/1.1 204 No\r\n\r\n", "status = [200, 204]", None),
        ("odd", "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", "status = 418", None),
        (
            "no_redirect",
            "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
            "status = \"2xx\"",
            Some("status 302 instead of 200-299"),
        ),
        (
            "not_those",
            "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n",
            "status = [200, 204]",
            Some("status 201 instead of 200 or 204"),
        ),
        ("missing", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "", Some("status 404 instead of")),
        ("garbage", "\x16\x03\x01 what is this\r\n\r\n", "", Some("the response is not HTTP")),
        ("ends", "", "", Some("no response")),
        ("half", "HTTP/1.1 200 OK\r\nContent-Le", "", Some("no response")),
        ("long", &long, "", Some("the response is not HTTP")),
        ("endless", &endless, "", Some("the response is not HTTP")),
        ("hangs", "hang", "", Some("no response within 50ms")),
        ("dead", "dead", "", Some("cannot connect: ")),
    ];
    let mut servers = Vec::new();
    let gateway = Fixture::start(|config| {
        rows.iter().fold(config, |config, (name, answer, settings, _)| {
            let server = Upstream::start();
            let address = if *answer == "dead" { dead } else { server.address() };
            match *answer {
                "hang" => server.on("/health", |_, _| {
                    thread::sleep(Duration::from_millis(500));
                    Ok(Next::Close)
                }),
                answer => server.on_bytes("/health", Next::Close, answer),
            }
            servers.push(server);
            let comma = if settings.is_empty() { "" } else { ", " };
            config.table(&format!(
                "[upstreams.{name}]\nservers = [\"http://{address}\"]\n\
                 health_check = {{ path = \"/health\", interval = \"50ms\", unhealthy_after = 8{comma}{settings} }}"
            ))
            .route(&format!("path = \"/{name}\"\naccess = \"public\"\nupstream = \"{name}\""))
        })
    });
    for ((name, _, _, reason), server) in rows.iter().zip(&servers) {
        match reason {
            Some(reason) => {
                gateway.gateway.wait_for(&format!("upstream \"{name}\": "));
                let written = gateway.gateway.written();
                let mut lines =
                    written.lines().filter(|line| line.contains(&format!("upstream \"{name}\": ")));
                let line = lines.next().expect("a line");
                assert!(line.contains("is unhealthy: ") && line.contains(reason), "{name}: {line}");
                assert_eq!(lines.next(), None, "{name} is shared of once");
                gateway.raw(get(&format!("/{name}"), &[])).problem(503);
            }
            None => {
                // More probes than needed to become unhealthy.
                wait_until(name, || server.requests("/health").len() > 10);
                gateway.raw(get(&format!("/{name}"), &[])).status(200);
            }
        }
    }
}

#[test]
fn a_killed_server_gets_no_requests_until_it_is_back() {
    let (killed, other) = (Upstream::start(), Upstream::start());
    let address = killed.address();
    let gateway = Fixture::start(|config| {
        let check = "health_check = { interval = \"50ms\", unhealthy_after = 8 }\nejection = false";
        several(config, &[&killed, &other], check)
    });
    send_requests(&gateway.gateway, "/s/before", 10);
    assert_eq!(served(&[&killed, &other], "/s/before"), [5, 5]);
    killed.stop();
    gateway.gateway.wait_for(&format!("{address} is unhealthy: cannot connect: "));
    // Without retries, a request to the killed server would be a 502.
    send_requests(&gateway.gateway, "/s/killed", 10);
    assert_eq!(other.requests("/s/killed").len(), 10);
    let back = Upstream::start_at(address);
    gateway.gateway.wait_for(&format!("{address} is healthy again"));
    send_requests(&gateway.gateway, "/s/back", 10);
    assert_eq!(served(&[&back, &other], "/s/back"), [5, 5]);
    assert_eq!(back.requests("HTTP/1.1").len(), 5, "a probe without a path asks for nothing");
}

#[test]
fn a_reload_keeps_health_states_and_stops_probing_removed_servers() {
    let (stays, goes) = (Upstream::start(), Upstream::start());
    let (health, _) = (with_health(&stays), with_health(&goes));
    let upstream = Upstream::start();
    let config = |check: &str, with_both: bool| {
        let config = several(Config::standard(upstream.address()), &[&stays], check);
        if !with_both {
            return config;
        }
        config.table(&format!(
            "[upstreams.gone]\nservers = [\"http://{}\"]\nhealth_check = {{ path = \"/health\", interval = \"50ms\" }}",
            goes.address()
        ))
    };
    let gateway = Gateway::start(&config(CHECK, true));
    health.store(500, Ordering::Relaxed);
    gateway.wait_for(&format!("{} is unhealthy", stays.address()));
    wait_until("the other one is probed", || goes.requests("/health").len() > 3);
    // If the state were lost, the server would be healthy until a thousand probes failed.
    let patient = "health_check = { path = \"/health\", interval = \"50ms\", unhealthy_after = 1000, healthy_after = 1 }";
    gateway.reload(&config(patient, false));
    crate::support::raw(gateway.plain(), get("/s/kept", &[])).problem(503);
    let probes = |server: &Upstream| server.requests("/health").len();
    let begun = probes(&stays);
    wait_until("the prober goes on", || probes(&stays) > begun + 1);
    let (gone, begun) = (probes(&goes), probes(&stays));
    wait_until("the prober goes on", || probes(&stays) > begun + 4);
    assert_eq!(probes(&goes), gone, "the prober of a removed upstream does not stop");
    assert!(!stays.saw("/s/kept"));
    health.store(200, Ordering::Relaxed);
    gateway.wait_for(&format!("{} is healthy again", stays.address()));
    crate::support::raw(gateway.plain(), get("/s/well", &[])).status(200);
}

#[test]
fn a_server_may_be_given_by_name() {
    let server = Upstream::start();
    let port = server.address().port();
    server.on_bytes("/n/x", Next::Close, ok("{}"));
    let gateway = Fixture::start(|config| {
        config
            .table(&format!("[upstreams.named]\nservers = [\"http://localhost:{port}\"]\n{CHECK}"))
            .table("[upstreams.nowhere]\nservers = [\"http://no-such-name.invalid:80\"]")
            .route("prefix = \"/n\"\naccess = \"public\"\nupstream = \"named\"")
            .route("prefix = \"/nowhere\"\naccess = \"public\"\nupstream = \"nowhere\"")
    });
    // Each on a new connection.
    for _ in 0..5 {
        gateway.raw(get("/n/x", &[])).status(200);
    }
    wait_until("it is probed", || server.requests("/health").len() > 2);
    assert_eq!(server.requests("/health")[0].all("host"), [format!("localhost:{port}")]);
    for _ in 0..3 {
        gateway.raw(get("/nowhere/x", &[])).status_in(&[502, 504]);
    }
    gateway.raw(get("/n/x", &[])).status(200);
}
