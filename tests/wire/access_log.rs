//! The access log: what a line contains, what it never contains, and that it delays no traffic.

mod files;

use crate::support::metrics::Scrape;
use crate::support::tls::H2;
use crate::support::upstream::{OK_BODY, ok};
use crate::support::{Config, Conn, Fixture, Gateway, Next, PATIENCE, TOKEN};
use crate::support::{basic, credentials, get, post_form};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

const TOGETHER: &str = "access_log = true";

/// A gateway that logs to standard output, and has one upstream without a listener.
fn logging() -> &'static Fixture {
    static LOGGING: OnceLock<Fixture> = OnceLock::new();
    LOGGING.get_or_init(|| {
        // No process is given this port by accident.
        let dead = SocketAddr::from(([127, 0, 0, 1], 9));
        Fixture::start(|config| {
            config
                .server(TOGETHER)
                .listen("https://127.0.0.1:0")
                .upstream("dead", dead)
                .route("path = \"/dead\"\nscopes = [\"read\"]\nupstream = \"dead\"")
        })
    })
}

/// Returns all access log lines so far.
fn lines(written: &str) -> Vec<Value> {
    let objects = written.lines().filter(|line| line.starts_with('{'));
    objects.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Waits until `found` finds something in the output of the gateway.
#[track_caller]
fn eventually<T>(gateway: &Gateway, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}\n{}", gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the only line for this path.
#[track_caller]
fn line(gateway: &Gateway, path: &str) -> Value {
    let find = || lines(&gateway.written()).into_iter().find(|line| line["path"] == path);
    eventually(gateway, &format!("no line for {path}"), find)
}

/// Asserts members of a line; null for one that must be absent.
#[track_caller]
fn says(line: &Value, members: Value) {
    for (name, value) in members.as_object().expect("an object") {
        assert_eq!(line[name.as_str()], *value, "{name}\n{line:#}");
    }
}

#[test]
fn a_successful_request_is_logged() {
    let gateway = logging();
    let bearer = gateway.bearer("server", "read");
    let request = format!(
        "POST /api/%77ell?m=logged&secret=in-the-query HTTP/1.1\r\nHost: LocalHost\r\n{bearer}\r\nContent-Length: 5\r\n\r\nhello"
    );
    let answer = gateway.raw(request);
    let id = answer.status(200).one("x-request-id").to_owned();
    let line = line(&gateway.gateway, "/api/well");
    says(
        &line,
        json!({
            "request_id": id, "client": "127.0.0.1", "method": "POST", "host": "localhost", "route": "/api/*",
            "client_id": "server", "status": 200, "reason": null, "upstream": "api",
            "server": gateway.upstream.address().to_string(), "retries": 0, "bytes_in": 5,
            "bytes_out": OK_BODY.len(), "protocol": "HTTP/1.1", "tls": false
        }),
    );
    assert_eq!(gateway.upstream.only("m=logged").all("x-request-id"), [id.as_str()]);
    assert!(!line.to_string().contains("in-the-query"), "{line:#}");
    let (whole, upstream) = (line["duration_ms"].as_f64(), line["upstream_ms"].as_f64());
    assert!(upstream > Some(0.0) && whole >= upstream, "{line:#}");
    let time = line["time"].as_str().expect("a time");
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
}

#[test]
fn refused_requests_are_logged_with_their_reason() {
    let gateway = logging();
    let bearer = gateway.bearer("server", "read");
    let rows: &[(&str, &[&str], Value)] = &[
        (
            "/users/no-token",
            &[],
            json!({ "status": 401, "reason": "no_token", "route": "/users/{name}", "client_id": null }),
        ),
        (
            "/users/unknown",
            &["Authorization: Bearer nonsense"],
            json!({ "status": 401, "reason": "invalid_token" }),
        ),
        ("/users/two", &[&bearer, &bearer], json!({ "status": 400, "reason": "invalid_request" })),
        (
            "/write",
            &[&bearer],
            json!({ "status": 403, "reason": "insufficient_scope", "client_id": "server", "server": null, "setting": "clients.scopes" }),
        ),
        (
            "/nowhere",
            &[&bearer],
            json!({ "status": 404, "reason": "no_route", "route": null, "host": "localhost" }),
        ),
        (
            "/dead",
            &[&bearer],
            json!({ "status": 502, "reason": "upstream_unreachable", "client_id": "server", "upstream": "dead", "retries": 1 }),
        ),
        (
            "/api/%2e%2e/up",
            &[&bearer],
            json!({ "status": 400, "reason": "ambiguous_request", "route": null, "setting": null }),
        ),
    ];
    for (path, fields, members) in rows {
        let answer = gateway.raw(get(path, fields));
        answer.one("x-request-id");
        let line = line(&gateway.gateway, path);
        says(&line, members.clone());
        says(&line, json!({ "request_id": answer.one("x-request-id"), "bytes_out": answer.body().len() }));
    }
    gateway.raw("DELETE /get-only HTTP/1.1\r\nHost: x\r\n\r\n").status(405);
    let line = line(&gateway.gateway, "/get-only");
    says(&line, json!({ "method": "DELETE", "status": 405, "reason": "method_not_allowed", "route": null }));
}

#[test]
fn the_log_names_the_setting_that_decided_and_the_client_does_not_learn_it() {
    let gateway = logging();
    for (path, setting) in [
        ("/users/a;setting", "routes.allow_semicolon"),
        ("/users/a%2Fsetting", "routes.allow_encoded_slash"),
        ("/setting-nowhere", "routes"),
    ] {
        let answer = gateway.raw(get(path, &[]));
        assert!(answer.code() == 400 || answer.code() == 404, "{path}: {}", answer.code());
        let body = String::from_utf8_lossy(answer.body());
        assert!(!body.contains("allow"), "{path}: {body}");
        says(&line(&gateway.gateway, path), json!({ "setting": setting }));
    }
    // The same connection afterwards: nothing of the refused request stays.
    gateway.raw(get("/api/setting-after", &[&gateway.bearer("server", "read")])).status(200);
    says(&line(&gateway.gateway, "/api/setting-after"), json!({ "setting": null, "reason": null }));
}

#[test]
fn disconnected_clients_and_truncated_responses_are_logged() {
    let gateway = logging();
    let bearer = gateway.bearer("server", "read");
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    gateway.upstream.on("/api/left", move |_, out| {
        let _ = wait.lock().expect("the receiver").recv();
        out.write_all(&ok("late")).map(|()| Next::Close)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/left?m=left", &[&bearer]));
    gateway.upstream.wait_for("m=left");
    drop(conn);
    let left = line(&gateway.gateway, "/api/left");
    says(&left, json!({ "status": null, "reason": "client_gone", "client_id": "server", "bytes_out": 0 }));
    says(&left, json!({ "server": gateway.upstream.address().to_string(), "upstream_ms": null }));
    drop(release);

    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    gateway.upstream.on("/api/cut", move |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")?;
        let _ = wait.lock().expect("the receiver").recv();
        Ok(Next::Close)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/cut", &[&bearer]));
    conn.read_only_head().status(200);
    drop(release);
    let _ = conn.read_rest();
    let cut = line(&gateway.gateway, "/api/cut");
    says(&cut, json!({ "status": 200, "reason": "upstream_broken", "bytes_out": 3 }));
}

#[test]
fn responses_without_a_body_are_logged_as_complete() {
    let gateway = logging();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes("/api/empty", Next::KeepAlive, "HTTP/1.1 204 No Content\r\n\r\n");
    gateway.raw(get("/api/empty", &[&bearer])).status(204);
    says(&line(&gateway.gateway, "/api/empty"), json!({ "status": 204, "reason": null, "bytes_out": 0 }));
    let mut conn = gateway.connect();
    for (path, reason) in [("/api/head", Value::Null), ("/head-nowhere", json!("no_route"))] {
        conn.send(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n"));
        conn.read_head_only();
        says(&line(&gateway.gateway, path), json!({ "method": "HEAD", "reason": reason, "bytes_out": 0 }));
    }
}

#[test]
fn a_tunnel_is_logged_when_it_ends() {
    let gateway = logging();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on("/api/tunnel", |_, out| {
        out.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello")?;
        out.read_exact(&mut [0; 4])?;
        Ok(Next::Close)
    });
    let mut conn = gateway.connect();
    conn.send(get("/api/tunnel", &[&bearer, "Connection: upgrade", "Upgrade: x"]));
    conn.read_only_head().status(101);
    conn.read_some("hello");
    assert!(!gateway.gateway.written().contains("/api/tunnel"), "it still runs");
    conn.send("bye!");
    let _ = conn.read_rest();
    drop(conn);
    let line = line(&gateway.gateway, "/api/tunnel");
    says(&line, json!({ "status": 101, "reason": null, "bytes_in": 4, "bytes_out": 5 }));
}

#[tokio::test]
async fn http_2_requests_are_logged() {
    let gateway = logging();
    let bearer = gateway.token("server", "read");
    let mut h2 = H2::connect(gateway.gateway.tls()).await;
    let request =
        Request::get("https://localhost/api/h2?m=1").header("authorization", format!("Bearer {bearer}"));
    let answer = h2.request(request.body(Full::new(Bytes::new())).expect("a request")).await;
    assert_eq!(answer.status(), 200);
    let line = line(&gateway.gateway, "/api/h2");
    says(
        &line,
        json!({ "protocol": "HTTP/2", "tls": true, "host": "localhost", "status": 200, "reason": null }),
    );
    assert_eq!(answer.headers()["x-request-id"], line["request_id"].as_str().expect("an id"));
}

#[test]
fn endpoint_requests_are_logged() {
    let gateway = Fixture::start(|config| config.server(TOGETHER));
    let grant = "grant_type=client_credentials";
    gateway
        .raw(post_form(TOKEN, &[&basic("server", "Password1")], format!("{grant}&scope=read")))
        .status(200);
    gateway.raw(post_form(TOKEN, &[], format!("{grant}&client_id=server&client_secret=wr0ng"))).status(401);
    gateway.raw(post_form(TOKEN, &[], format!("{grant}&scope=admin&{}", credentials("server")))).status(400);
    let found = eventually(&gateway.gateway, "no three lines", || {
        Some(lines(&gateway.gateway.written())).filter(|lines| lines.len() == 3)
    });
    let expected = [
        json!({ "route": "(token)", "path": TOKEN, "client_id": "server", "status": 200, "reason": null }),
        // A client id without successful authentication is not logged.
        json!({ "route": "(token)", "client_id": null, "status": 401, "reason": "invalid_client" }),
        json!({ "route": "(token)", "client_id": "server", "status": 400, "reason": "invalid_scope", "setting": "clients.scopes" }),
    ];
    for (line, members) in found.iter().zip(expected) {
        says(line, members);
        says(line, json!({ "upstream": null, "server": null, "upstream_ms": null }));
    }
}

#[test]
fn no_request_forges_a_line() {
    let gateway = Fixture::start(|config| config.server(TOGETHER));
    let token = gateway.token("server", "read");
    let forged = "{\"time\":\"forged\"}";
    let requests = [
        format!("GET /a\"}}\\u000a{forged} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /a%0a%0d{forged} HTTP/1.1\r\nHost: x\r\n\r\n"),
        "GET /\u{1b}[2J\u{85}\u{202e} HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /é HTTP/1.1\r\nHost: x\"\\\r\n\r\n".to_owned(),
        format!("{} / HTTP/1.1\r\nHost: x\r\n\r\n", "M".repeat(2_000)),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "long".repeat(3_000)),
        format!("GET /path/{token}/x HTTP/1.1\r\nHost: {token}\r\n\r\n"),
        format!("GET http://user:{token}@x/absolute HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!(
            "GET /q?{token} HTTP/1.1\r\nHost: x\r\nX-Request-Id: \"{forged}\r\nX-Forwarded-For: {forged}\r\n\r\n"
        ),
    ];
    for request in &requests {
        let mut conn = gateway.connect();
        conn.send(request);
        let _ = conn.try_read(false);
    }
    gateway.raw(get("/the-last", &[])).status(404);
    line(&gateway.gateway, "/the-last");
    let written = gateway.gateway.written();
    let (log, _) = written.split_once("--- stderr").expect("both streams");
    // Standard output has nothing but the log.
    for line in log.lines().skip(1) {
        let line_is: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line_is["time"].as_str().is_some_and(|time| time.starts_with("20")), "{line}");
        assert!(line.len() < 2_500 && line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
        assert_eq!(line_is["client"], "127.0.0.1", "{line}");
    }
    assert!(!written.contains(&token), "a token was logged\n{written}");
    assert!(log.contains("/path/tg_\\u2026/x"), "{log}");
}

#[test]
fn a_request_id_is_accepted_only_from_trusted_proxies() {
    let rows = [
        ("request_id = true", "theirs-1", false),
        ("request_id = true\ntrusted_proxies = [\"127.0.0.1/32\"]", "theirs-2", true),
        ("request_id = true\ntrusted_proxies = [\"127.0.0.1/32\"]", "not good", false),
    ];
    for (lines, given, taken) in rows {
        let gateway = Fixture::start(|config| config.server(lines));
        let bearer = gateway.bearer("server", "read");
        let field = format!("X-Request-Id: {given}");
        let answer = gateway.raw(get("/hello?m=id", &[&bearer, &field]));
        let id = answer.status(200).one("x-request-id");
        assert_eq!(id == given, taken, "{lines}: {id}");
        let reached = gateway.upstream.only("m=id");
        assert_eq!(reached.all("x-request-id"), [id], "{}", reached.text());
        let other = gateway.raw(get("/hello?m=other", &[&bearer]));
        assert_ne!(other.one("x-request-id"), id);
    }
    // Without request ids, the client's field is forwarded like any other.
    let gateway = Fixture::start(|config| config);
    let bearer = gateway.bearer("server", "read");
    gateway.raw(get("/hello?m=id", &[&bearer, "X-Request-Id: mine"])).status(200).lacks("x-request-id");
    assert_eq!(gateway.upstream.only("m=id").all("x-request-id"), ["mine"]);
}
