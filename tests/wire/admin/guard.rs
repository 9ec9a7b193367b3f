//! The checks that every request to the listener passes first.

use super::Admin;
use crate::support::{Conn, TestResponse, raw};

#[test]
fn only_the_names_of_the_listener_are_served() {
    let admin = Admin::start("hosts = [\"gateway.example.test\"]");
    let port = admin.address.port();
    let answered = [
        format!("127.0.0.1:{port}"),
        "127.0.0.1".to_owned(),
        "localhost:9999".to_owned(),
        "LOCALHOST".to_owned(),
        "gateway.example.test".to_owned(),
        format!("Gateway.Example.TEST:{port}"),
    ];
    for host in answered {
        raw(admin.address, format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")).status(200);
    }
    // The DNS of an attacker resolves this name to the address of the listener (DNS rebinding).
    for host in [
        "attacker.example",
        "gateway.example.test.attacker.example",
        "127.0.0.2",
        "[::1]",
        "",
        "a b",
        "localhost:x",
    ] {
        let response = raw(admin.address, format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        response.problem(421);
        assert_eq!(kind(&response), "urn:tollgate:problem:misdirected", "{host}");
    }
    raw(admin.address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n").problem(421);
    raw(admin.address, "GET http://attacker.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .problem(421);
    raw(admin.address, "GET /healthz HTTP/1.1\r\n\r\n").status_in(&[400, 421]);
}

#[test]
fn requests_through_a_proxy_are_refused() {
    let admin = Admin::start("");
    for field in [
        "Via: 1.1 proxy",
        "Forwarded: for=192.0.2.1",
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Host: gateway.example.test",
        "X-Forwarded-Anything: 1",
    ] {
        let response = admin.get("/healthz", &[field]);
        response.problem(403);
        assert_eq!(kind(&response), "urn:tollgate:problem:proxied", "{field}");
    }
}

#[test]
fn every_response_is_protected() {
    let admin = Admin::start("");
    for target in ["/healthz", "/api/v1/status", "/api/v1/openapi.json", "/nothing", "/api/v1/nothing"] {
        let response = admin.get(target, &[]);
        let policy = response.one("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        response
            .has("x-content-type-options", "nosniff")
            .has("x-frame-options", "DENY")
            .has("cross-origin-opener-policy", "same-origin")
            .has("cross-origin-resource-policy", "same-origin")
            .has("referrer-policy", "same-origin")
            .has("cache-control", "no-store")
            .lacks("server")
            .lacks("access-control-allow-origin");
    }
}

#[test]
fn an_idle_listener_has_a_bounded_number_of_connections() {
    let admin = Admin::start("");
    let mut held: Vec<Conn> = (0..32).map(|_| Conn::plain(admin.address)).collect();
    for conn in &mut held {
        conn.request(admin.request("GET", "/healthz", &[], "")).status(200);
    }
    // The next one waits in the accept queue, and is served once another ends.
    let mut further = Conn::plain(admin.address);
    further.send(admin.request("GET", "/healthz", &[], ""));
    drop(held.pop());
    further.read().status(200);
}

/// Returns the type of a problem.
fn kind(response: &TestResponse) -> String {
    let problem: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
    problem["type"].as_str().unwrap_or_default().to_owned()
}
