//! The security log: one line for each event, in the fields of the Elastic Common Schema, at a bounded rate.

use crate::support::metrics::{self, Scrape};
use crate::support::{Config, Fixture, Gateway, REVOKE, TOKEN, Upstream, credentials, get, post_form};
use serde_json::{Value, json};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Returns the lines of the log once `done` accepts them.
#[track_caller]
fn lines(gateway: &Gateway, file: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(gateway.dir().join(file)).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        if done(&lines) {
            return lines;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{lines:#?}\n{}", gateway.written());
        thread::sleep(Duration::from_millis(20));
    }
}

fn with_log(config: Config, more: &str) -> Config {
    config
        .table(&format!("[security_log]\nfile = \"security.log\"\n{more}"))
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
}

#[test]
fn every_kind_of_refusal_has_a_line_that_names_the_client_and_the_reason_and_no_secret() {
    let fixture = Fixture::start(|config| {
        with_log(config, "").route("path = \"/closed\"\ndeny = [\"127.0.0.1\"]\nupstream = \"api\"")
    });
    let wrong = "client_id=server&client_secret=WrongSecret7&grant_type=client_credentials";
    fixture.raw(post_form(TOKEN, &[], wrong)).status(401);
    fixture.ask_token("other", "&scope=admin").status(400);
    let token = fixture.token("other", "read");
    let bearer = format!("Authorization: Bearer {token}");
    fixture.raw(get("/write?secret=query", &[&bearer])).status(403);
    fixture.raw(post_form(REVOKE, &[], format!("{}&token={token}", credentials("other")))).status(200);
    fixture.raw(get("/hello", &[&bearer])).status(401);
    fixture.raw(get("/hello%2F..%2Fx", &[])).status(400);
    fixture.raw(get("/closed", &[&bearer])).status(403);
    // A request without a token and a request that is accepted are not events.
    fixture.raw(get("/hello", &[])).status(401);
    fixture.raw(get("/hello", &[&fixture.bearer("server", "read")])).status(200);
    let lines = lines(&fixture.gateway, "security.log", |lines| lines.len() >= 7);
    let shown: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!([
                line["event.action"],
                line["event.reason"],
                line["user.id"],
                line["rule.name"],
                line["http.response.status_code"]
            ])
        })
        .collect();
    assert_eq!(
        shown,
        [
            json!(["authentication-failed", "invalid_client", null, "(token)", 401]),
            json!(["grant-refused", "invalid_scope", "other", "(token)", 400]),
            json!(["access-refused", "insufficient_scope", "other", "/write", 403]),
            json!(["token-revoked", "revoked", "other", "(revocation)", 200]),
            json!(["token-refused", "invalid_token", null, "/hello", 401]),
            json!(["request-ambiguous", "ambiguous_request", null, null, 400]),
            json!(["address-refused", "address_denied", null, "/closed", 403]),
        ]
    );
    for line in &lines {
        assert_eq!((&line["source.ip"], &line["ecs.version"]), (&json!("127.0.0.1"), &json!("8.17.0")));
        let text = line.to_string();
        assert!(!text.contains("WrongSecret7") && !text.contains("tg_") && !text.contains("query"), "{text}");
    }
    assert_eq!(lines[2]["url.path"], "/write");
    let metrics = Scrape::of(&fixture.gateway);
    assert_eq!(metrics.value("tollgate_security_events_total{kind=\"access-refused\"}"), 1.0);
    assert_eq!(metrics.value("tollgate_security_events_total{kind=\"token-not-held\"}"), 0.0);

    // A rotated file is opened again.
    fs::rename(fixture.gateway.dir().join("security.log"), fixture.gateway.dir().join("rotated"))
        .expect("renamed");
    let reloads = fixture.gateway.times_written("reloaded");
    fixture.gateway.signal("HUP");
    fixture.gateway.wait_until_written("reloaded", reloads);
    fixture.raw(get("/hello", &[&bearer])).status(401);
    self::lines(&fixture.gateway, "security.log", |lines| lines.len() == 1);
}

#[test]
fn a_flood_is_cut_and_what_is_left_out_is_counted() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&with_log(Config::standard(upstream.address()), "max_per_second = 2"));
    let fixture = Fixture { gateway, upstream };
    let mut conn = fixture.connect();
    const SENT: u64 = 300;
    for _ in 0..SENT {
        conn.request(get("/hello", &["Authorization: Bearer nothing"])).status(401);
    }
    let left_out =
        |lines: &[Value]| -> u64 { lines.iter().filter_map(|line| line["tollgate.left_out"].as_u64()).sum() };
    let whole =
        |lines: &[Value]| lines.iter().filter(|line| line["event.reason"] == "invalid_token").count() as u64;
    let lines = lines(&fixture.gateway, "security.log", |lines| left_out(lines) + whole(lines) == SENT);
    assert!(whole(&lines) < SENT, "{lines:#?}");
    let metrics = Scrape::of(&fixture.gateway);
    assert_eq!(metrics.value("tollgate_security_events_total{kind=\"token-refused\"}"), SENT as f64);
    let missing = metrics.value("tollgate_security_events_left_out_total{kind=\"token-refused\"}");
    assert_eq!(missing, (SENT - whole(&lines)) as f64);
}

#[test]
fn health_and_readiness_are_answered_beside_the_metrics() {
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address())
        .server("shutdown_grace = \"60s\"")
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"");
    let gateway = Gateway::start(&config);
    let address = metrics::address(&gateway);
    let ask = |target: &str| crate::support::raw(address, get(target, &[]));
    ask("/healthz").status(200).has("cache-control", "no-store");
    // The addresses are printed before every worker accepts.
    let started = Instant::now();
    while ask("/readyz").code() != 200 {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
    crate::support::raw(address, "POST /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status(405);
    // A request in flight keeps the process, which is alive and not ready any more.
    let mut conn = crate::support::Conn::plain(gateway.plain());
    conn.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    upstream.wait_for("/public/x");
    gateway.signal("TERM");
    let started = Instant::now();
    while ask("/readyz").code() != 503 {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
    ask("/healthz").status(200);
}
