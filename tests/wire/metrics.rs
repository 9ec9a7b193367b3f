//! Metrics: a separate listener, a page that a strict parser accepts, and counters that agree with the
//! requests sent.

use crate::support::metrics::{Scrape, address};
use crate::support::{
    Config, Conn, Fixture, INTROSPECT, Next, PATIENCE, REVOKE, Upstream, credentials, get, post_form, raw,
};
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

fn start(change: impl FnOnce(Config) -> Config) -> Fixture {
    Fixture::start(|config| change(config).table("[metrics]\nlisten = \"http://127.0.0.1:0\""))
}

/// Scrapes until the expected values are found, and reports the last ones otherwise.
#[track_caller]
fn wait_until(gateway: &Fixture, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scrape = Scrape::of(&gateway.gateway);
        if holds(&scrape) {
            return scrape;
        }
        assert!(Instant::now() < deadline, "{}", scrape.text);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn metrics_have_a_separate_listener_only_if_configured() {
    let gateway = start(|config| config);
    gateway.raw(get("/metrics", &[])).problem(404);
    let metrics = address(&gateway.gateway);
    let answer = raw(metrics, get("/metrics", &[]));
    answer.status(200).own();
    raw(metrics, get("/", &[])).problem(404);
    raw(metrics, get("/hello", &[])).problem(404);
    raw(metrics, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .problem(405)
        .has("allow", "GET, HEAD");
    let mut conn = Conn::plain(metrics);
    conn.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    conn.read_head_only().status(200);
    let open = raw(metrics, get("/metrics", &["Accept: application/openmetrics-text; version=1.0.0"]));
    open.status(200).has("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = String::from_utf8_lossy(open.body()).into_owned();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(
        text.contains("# TYPE tollgate_tokens_issued counter\ntollgate_tokens_issued_total 0\n"),
        "{text}"
    );
    let without = Fixture::start(|config| config);
    assert!(!without.gateway.written().contains("metrics on"));
}

#[test]
fn counters_agree_with_the_requests_sent() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = free.local_addr().expect("its address");
    drop(free);
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address())
        .upstream("dead", dead)
        .route("path = \"/dead\"\nmethods = [\"GET\"]\nscopes = [\"read\"]\nupstream = \"dead\"")
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"");
    let text = config.text().replace("threads = 1", "threads = 2");
    let gateway = Fixture { gateway: crate::support::Gateway::start_text(&text, &[]), upstream };
    let bearer = gateway.bearer("server", "read");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut conn = gateway.connect();
                for _ in 0..25 {
                    conn.request(get("/hello", &[&bearer])).status(200);
                    conn.request(get("/users/me2", &[])).status(401);
                    conn.request(get("/nowhere", &[])).status(404);
                    let body = "Content-Length: 10\r\n\r\n0123456789";
                    conn.request(format!("PUT /api/x HTTP/1.1\r\nHost: x\r\n{bearer}\r\n{body}")).status(200);
                }
                conn.request(get("/dead", &[&bearer])).status(502);
                conn.request(get("/write", &[&bearer])).status(403);
                conn.request(get("/public/p", &[])).status(200);
            });
        }
    });
    let sent = 1.0 + 4.0 * (25.0 * 4.0 + 3.0);
    let scrape = wait_until(&gateway, |scrape| {
        // The end of a request is counted after the client has its response.
        scrape.sum("tollgate_requests_total") >= sent && scrape.value("tollgate_requests_in_flight") == 0.0
    });
    for (key, value) in [
        ("tollgate_requests_total{route=\"/hello\",status=\"2xx\"}", 100.0),
        ("tollgate_requests_total{route=\"/users/{name}\",status=\"4xx\"}", 100.0),
        ("tollgate_requests_total{route=\"(none)\",status=\"4xx\"}", 100.0),
        ("tollgate_requests_total{route=\"/api/*\",status=\"2xx\"}", 100.0),
        ("tollgate_requests_total{route=\"GET /dead\",status=\"5xx\"}", 4.0),
        ("tollgate_requests_total{route=\"/write\",status=\"4xx\"}", 4.0),
        ("tollgate_requests_total{route=\"/public/*\",status=\"2xx\"}", 4.0),
        ("tollgate_requests_total{route=\"(token)\",status=\"2xx\"}", 1.0),
        ("tollgate_request_duration_seconds_count{route=\"/hello\"}", 100.0),
        ("tollgate_request_bytes_total{route=\"/api/*\"}", 1_000.0),
        ("tollgate_response_bytes_total{route=\"/hello\"}", 100.0 * 17.0),
        ("tollgate_refusals_total{reason=\"no_token\"}", 100.0),
        ("tollgate_refusals_total{reason=\"no_route\"}", 100.0),
        ("tollgate_refusals_total{reason=\"insufficient_scope\"}", 4.0),
        ("tollgate_refusals_total{reason=\"upstream_unreachable\"}", 4.0),
        ("tollgate_upstream_failures_total{upstream=\"dead\",kind=\"unreachable\"}", 4.0),
        ("tollgate_upstream_retries_total{upstream=\"dead\"}", 4.0),
        ("tollgate_upstream_duration_seconds_count{upstream=\"api\"}", 204.0),
        ("tollgate_upstream_duration_seconds_count{upstream=\"dead\"}", 0.0),
        ("tollgate_upstream_requests_in_flight{upstream=\"api\"}", 0.0),
        ("tollgate_requests_in_flight", 0.0),
        ("tollgate_tokens_issued_total", 1.0),
        ("tollgate_tokens{state=\"live\"}", 1.0),
    ] {
        assert_eq!(scrape.value(key), value, "{key}\n{}", scrape.text);
    }
    assert_eq!(scrape.sum("tollgate_requests_total"), sent, "{}", scrape.text);
    assert_eq!(scrape.sum("tollgate_refusals_total"), 208.0, "{}", scrape.text);
    let seconds = scrape.value("tollgate_upstream_duration_seconds_sum{upstream=\"api\"}");
    assert!(seconds > 0.0 && seconds < 60.0, "{}", scrape.text);
}

#[test]
fn gauges_show_current_values() {
    let gateway = start(|config| config.listen("https://127.0.0.1:0"));
    let bearer = gateway.bearer("server", "read");
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    gateway.upstream.on("/api/slow", move |_, out| {
        let _ = wait.lock().expect("the receiver").recv();
        out.write_all(&crate::support::upstream::ok("late")).map(|()| Next::KeepAlive)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/slow?m=now", &[&bearer]));
    gateway.upstream.wait_for("m=now");
    let scrape = wait_until(&gateway, |scrape| scrape.value("tollgate_connections") == 1.0);
    for (key, value) in [
        ("tollgate_requests_in_flight", 1.0),
        ("tollgate_upstream_requests_in_flight{upstream=\"api\"}", 1.0),
        ("tollgate_upstream_connections{state=\"busy\"}", 1.0),
        ("tollgate_upstream_connections{state=\"idle\"}", 0.0),
        ("tollgate_hashing_queue", 0.0),
    ] {
        assert_eq!(scrape.value(key), value, "{key}\n{}", scrape.text);
    }
    drop(release);
    conn.read().status(200);
    let scrape = wait_until(&gateway, |scrape| scrape.value("tollgate_requests_in_flight") == 0.0);
    for (key, value) in [
        ("tollgate_upstream_requests_in_flight{upstream=\"api\"}", 0.0),
        ("tollgate_upstream_connections{state=\"busy\"}", 0.0),
        ("tollgate_upstream_connections{state=\"idle\"}", 1.0),
        ("tollgate_upstream_connections_opened_total", 1.0),
    ] {
        assert_eq!(scrape.value(key), value, "{key}\n{}", scrape.text);
    }
    for name in
        ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_start_time_seconds"]
    {
        assert!(scrape.value(name) > 1.0, "{name}\n{}", scrape.text);
    }
    assert_eq!(scrape.sum("tollgate_build_info"), 1.0);
    // Neither TLS nor HTTP.
    let mut conn = Conn::plain(gateway.gateway.tls());
    conn.send("GET / HTTP/1.1\r\n\r\n");
    let _ = conn.read_rest();
    raw(gateway.address(), "NONSENSE\r\n\r\n").status(400);
    wait_until(&gateway, |scrape| {
        scrape.value("tollgate_tls_handshakes_failed_total") == 1.0
            && scrape.value("tollgate_request_heads_refused_total") == 1.0
    });
}

#[test]
fn tokens_and_reloads_are_counted() {
    let gateway = start(|config| config.throttle("throttle = { failures = 2, per = \"1m\" }"));
    let token = gateway.token("server", "read");
    gateway.token("other", "read");
    let about = |token: &str, client: &str| format!("{}&token={token}", credentials(client));
    gateway.raw(post_form(INTROSPECT, &[], about(&token, "introspector"))).status(200);
    gateway.raw(post_form(REVOKE, &[], about(&token, "server"))).status(200);
    gateway.raw(post_form(INTROSPECT, &[], about(&token, "introspector"))).status(200);
    gateway.raw(post_form(INTROSPECT, &[], about(&token, "server"))).status(400);
    for status in [401, 401, 429] {
        let wrong = "grant_type=client_credentials&client_id=other&client_secret=wrong";
        gateway.raw(post_form(crate::support::TOKEN, &[], wrong)).status(status);
    }
    let config = gateway.gateway.dir().join("gateway.toml");
    let good = fs::read_to_string(&config).expect("gateway.toml");
    fs::write(&config, "nonsense").expect("gateway.toml");
    gateway.gateway.signal("HUP");
    let failed = |scrape: &Scrape| scrape.value("tollgate_reloads_total{result=\"failed\"}");
    wait_until(&gateway, |scrape| failed(scrape) >= 1.0);
    // All requests of `other` end at once.
    let [head, tail] = ["[clients.other]\n", "enabled = false\n"];
    fs::write(&config, good.replace(head, &format!("{head}{tail}"))).expect("gateway.toml");
    gateway.gateway.signal("HUP");
    let good = |scrape: &Scrape| scrape.value("tollgate_reloads_total{result=\"good\"}") >= 1.0;
    wait_until(&gateway, good);
    // The first scrape may have counted the tokens before it counted the reload.
    let scrape = wait_until(&gateway, good);
    for (key, value) in [
        ("tollgate_tokens_issued_total", 2.0),
        ("tollgate_tokens{state=\"live\"}", 0.0),
        ("tollgate_tokens{state=\"ended\"}", 1.0),
        ("tollgate_introspections_total{active=\"true\"}", 1.0),
        ("tollgate_introspections_total{active=\"false\"}", 1.0),
        ("tollgate_revocations_total", 1.0),
        ("tollgate_endpoint_refusals_total{endpoint=\"introspection\",reason=\"unauthorized_client\"}", 1.0),
        ("tollgate_endpoint_refusals_total{endpoint=\"token\",reason=\"invalid_client\"}", 2.0),
        ("tollgate_endpoint_refusals_total{endpoint=\"token\",reason=\"throttled\"}", 1.0),
        ("tollgate_requests_total{route=\"(token)\",status=\"4xx\"}", 3.0),
    ] {
        assert_eq!(scrape.value(key), value, "{key}\n{}", scrape.text);
    }
}

#[test]
fn nothing_that_clients_send_becomes_a_label() {
    let gateway = start(|config| config);
    let bearer = gateway.bearer("server", "read");
    let one_of_each = |conn: &mut Conn, number: usize| {
        let name = format!("q{}z", number.wrapping_mul(0x9e37_79b9));
        let mut batch = Vec::new();
        batch.extend(get(&format!("/{name}"), &[]));
        batch.extend(get(&format!("/users/{name}"), &[]));
        batch.extend(format!("GET /{name}/a HTTP/1.1\r\nHost: {name}.example\r\n\r\n").into_bytes());
        batch.extend(format!("{} /hello HTTP/1.1\r\nHost: x\r\n\r\n", name.to_uppercase()).into_bytes());
        batch.extend(get("/hello", &[&format!("Authorization: Bearer {name}")]));
        conn.send(batch);
        for status in [404, 401, 404, 401, 401] {
            conn.read().status(status);
        }
    };
    let mut conn = gateway.connect();
    conn.request(get("/hello", &[&bearer])).status(200);
    one_of_each(&mut conn, 0);
    let over = |count: f64| move |scrape: &Scrape| scrape.sum("tollgate_requests_total") >= count;
    let before = wait_until(&gateway, over(7.0));
    for number in 1..2_000 {
        one_of_each(&mut conn, number);
    }
    let after = wait_until(&gateway, over(2.0 + 10_000.0));
    assert_eq!(before.keys(), after.keys());
    assert_eq!(after.value("tollgate_requests_total{route=\"(none)\",status=\"4xx\"}"), 4_000.0);
    assert!(after.text.len() < 64 << 10, "{} bytes", after.text.len());
}

#[test]
fn counters_never_decrease_under_load() {
    let gateway = start(|config| config);
    let bearer = gateway.bearer("server", "read");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut conn = gateway.connect();
                while !stop.load(Ordering::Relaxed) {
                    conn.request(get("/hello", &[&bearer])).status(200);
                }
            });
        }
        let mut last = Scrape::of(&gateway.gateway);
        let mut grown = 0;
        for _ in 0..100 {
            let next = Scrape::of(&gateway.gateway);
            for name in [
                "tollgate_requests_total",
                "tollgate_upstream_duration_seconds_bucket",
                "tollgate_tokens_issued_total",
            ] {
                for (key, value) in last.named(name) {
                    assert!(next.value(key) >= value, "{key} went down from {value}\n{}", next.text);
                }
            }
            grown += usize::from(next.sum("tollgate_requests_total") > last.sum("tollgate_requests_total"));
            last = next;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(grown > 10, "no requests were in flight\n{}", last.text);
    });
}
