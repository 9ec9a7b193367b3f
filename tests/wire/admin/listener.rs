//! The listener and the data plane are separate: no request reaches the other one.

use super::Admin;
use crate::support::{Fixture, Gateway, Next, TestResponse, get, raw, run};
use std::fs;

#[test]
fn the_cookie_of_the_console_does_not_go_upstream() {
    let fixture = Fixture::start(|config| config);
    let bearer = fixture.bearer("server", "read");
    let sent = |marker: &str, cookies: &[&str]| {
        let mut fields = vec![bearer.as_str()];
        fields.extend(cookies);
        fixture.raw(get(&format!("/hello?m={marker}"), &fields)).status(200);
        fixture.upstream.only(&format!("m={marker}")).all("cookie").join(" | ")
    };
    assert_eq!(sent("none", &[]), "");
    assert_eq!(sent("others", &["Cookie: a=1;  b=2"]), "a=1;  b=2", "others go byte for byte");
    assert_eq!(sent("only", &["Cookie: tollgate_admin_9465=secret"]), "");
    assert_eq!(sent("host", &["Cookie: a=1; __Host-tollgate_admin_9465=secret; b=2"]), "a=1; b=2");
    assert_eq!(sent("two", &["cookie: tollgate_admin_1=secret", "COOKIE: c=3"]), "c=3");
    assert!(!fixture.upstream.saw("secret"));
}

#[test]
fn an_upstream_cannot_set_the_cookie_of_a_console() {
    let fixture = Fixture::start(|config| config);
    fixture.upstream.on_bytes(
        "/public/cookies",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=1\r\nSet-Cookie: tollgate_admin_9465=x; Path=/\r\n\
         SET-COOKIE: __Host-tollgate_admin_1=; Max-Age=0\r\nSet-Cookie: =tollgate_admin_9465=x\r\nSet-Cookie: b=2\r\n\r\n",
    );
    let bearer = fixture.bearer("server", "read");
    let response = fixture.raw(get("/public/cookies", &[&bearer]));
    response.status(200);
    assert_eq!(response.all("set-cookie"), ["a=1", "b=2"], "{response}");
}

#[test]
fn a_public_route_does_not_pass_the_cookie_on_either() {
    let fixture = Fixture::start(|config| config);
    fixture.raw(get("/public/x", &["Cookie: tollgate_admin_9465=secret; a=1"])).status(200);
    assert_eq!(fixture.upstream.only("/public/x").all("cookie"), ["a=1"]);
}

#[test]
fn an_upstream_with_the_address_of_the_console_is_a_configuration_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |listen: &str, server: &str| {
        let text = format!(
            "[admin]\nlisten = \"{listen}\"\n[upstreams.a]\nservers = [\"{server}\"]\n[[routes]]\nprefix = \"/\"\naccess = \
             \"public\"\nupstream = \"a\"\n"
        );
        fs::write(folder.path().join("gateway.toml"), text).expect("write");
        let output = run(folder.path(), &["check"]);
        (output.code, output.stderr)
    };
    for (listen, server) in [
        ("http://127.0.0.1:9465", "http://127.0.0.1:9465"),
        ("http://127.0.0.1:9465", "http://localhost:9465"),
        ("http://127.0.0.1:9465", "http://0.0.0.0:9465"),
        ("http://127.0.0.1:9465", "http://[::ffff:127.0.0.1]:9465"),
        ("https://0.0.0.0:9465", "https://127.0.0.1:9465"),
    ] {
        let (code, text) = check(listen, server);
        assert_eq!(code, Some(2), "{listen} {server}: {text}");
        assert!(text.contains("gateway.toml:1:1: admin") && text.contains("upstream \"a\""), "{text}");
    }
    assert_eq!(check("http://127.0.0.1:9465", "http://127.0.0.1:9466").0, Some(0));
    assert_eq!(check("http://127.0.0.1:9465", "http://127.0.0.2:9465").0, Some(0));
}

#[test]
fn a_route_to_the_console_does_not_connect() {
    // A name shows its address only when it is resolved, and port 0 has one only when it is bound.
    let admin = Admin::start("");
    let gateway = &admin.fixture.gateway;
    // Once it serves, it handles signals.
    admin.fixture.raw(get("/nothing", &[])).problem(404);
    let before = gateway.times_written(" reloaded: ");
    gateway.rewrite(|text| {
        format!(
            "{text}\n[upstreams.console]\nservers = [\"http://127.0.0.1:{}\"]\n[[routes]]\nprefix = \"/console\"\naccess = \
             \"public\"\nupstream = \"console\"\nstrip_prefix = \"/console\"\n",
            admin.address.port()
        )
    });
    gateway.signal("HUP");
    gateway.wait_until_written(" reloaded: ", before);
    let response: TestResponse = raw(admin.fixture.address(), get("/console/healthz", &[]));
    response.problem(502);
    admin.get("/healthz", &[]).status(200);
}

#[test]
fn the_listener_speaks_tls_with_the_certificate_of_the_server() {
    let gateway = Gateway::start_text(
        "[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"https://127.0.0.1:0\"\n",
        &[],
    );
    gateway.wait_for("console https://");
    let written = gateway.written();
    let (_, rest) = written.split_once("console https://").unwrap_or_else(|| panic!("{written}"));
    let address = rest
        .split_whitespace()
        .next()
        .and_then(|address| address.parse().ok())
        .unwrap_or_else(|| panic!("{rest}"));
    let mut conn = crate::support::Conn::tls(address, &["h2", "http/1.1"]);
    conn.request(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n")).status(200);
}

#[test]
fn plain_http_is_for_loopback_and_the_scopes_of_the_api_are_reserved() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, message) in [
        ("[admin]\nlisten = \"http://0.0.0.0:9465\"", "use https://, or listen on 127.0.0.1"),
        ("[admin]\nlisten = \"http://gateway:9465\"", "must name an IP address"),
        ("[admin]", "`listen` is missing"),
        ("[admin]\nlisten = \"http://127.0.0.1:8443\"", "the gateway itself listens there"),
        (
            "[metrics]\nlisten = \"http://127.0.0.1:1\"\n[admin]\nlisten = \"http://127.0.0.1:1\"",
            "the address of [metrics]",
        ),
        ("[scopes]\n\"tollgate:x\" = \"x\"", "the gateway's own"),
        (
            "[admin]\nlisten = \"http://127.0.0.1:1\"\n[admin.users.\"a b\"]\nrole = \"owner\"\npassword = \"x\"",
            "a user name is",
        ),
        (
            "[admin]\nlisten = \"http://127.0.0.1:1\"\n[admin.users.a]\nrole = \"owner\"\npassword = \"Password1\"",
            "tollgate admin user a",
        ),
        (
            "[upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n[[routes]]\npath = \"/\"\nscopes = [\
             \"tollgate:admin.read\"]\nupstream = \"a\"",
            "opens the gateway's own API",
        ),
    ] {
        fs::write(folder.path().join("gateway.toml"), text).expect("write");
        let output = run(folder.path(), &["check"]);
        let error = output.stderr;
        assert_eq!(output.code, Some(2), "{text}: {error}");
        assert!(error.contains(message) && !error.contains("Password1"), "{text}: {error}");
    }
}
