//! The TLS listener: HTTP/1.1 and HTTP/2 by ALPN, the same refusals on both, and a certificate that is kept.

use crate::support::tls::{H2, connect, negotiated};
use crate::support::upstream::OK_BODY;
use crate::support::{Config, Conn, Fixture, Gateway, TOKEN, credentials, get, shared};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use std::net::TcpStream;

type Fields<'a> = &'a [(&'a str, &'a str)];

fn request(method: Method, target: &str, fields: Fields<'_>, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(format!("https://localhost{target}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request")
}

fn one<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    let values: Vec<_> = answer.headers().get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "exactly one {name}\n{answer:?}");
    values[0].to_str().expect("ASCII")
}

#[test]
fn alpn_selects_a_common_protocol() {
    let address = shared().gateway.tls();
    assert_eq!(negotiated(address, &["h2", "http/1.1"]).as_deref(), Some("h2"));
    assert_eq!(negotiated(address, &["http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(negotiated(address, &[]), None);
    // Without ALPN, HTTP/1.1 is used.
    Conn::tls(address, &[]).request(get("/hello", &[])).bearer_error(401, None);
}

#[test]
fn http_1_1_over_tls_is_forwarded_as_https() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let mut conn = Conn::tls(gateway.gateway.tls(), &["http/1.1"]);
    let answer = conn.request(get("/hello?m=tls-one", &[&bearer]));
    assert_eq!(answer.status(200).body(), OK_BODY.as_bytes(), "{answer}");
    let request = gateway.upstream.only("m=tls-one");
    assert_eq!(request.all("x-forwarded-proto"), ["https"], "{}", request.text());
    conn.request(get("/api/%2e%2e/hello", &[&bearer])).problem(400);
    conn.assert_closed("after an ambiguous target");
}

#[tokio::test]
async fn http_2_gets_a_token_and_the_api() {
    let gateway = shared();
    let mut h2 = H2::connect(gateway.gateway.tls()).await;
    let form = format!("grant_type=client_credentials&scope=read&{}", credentials("server"));
    let media = [("content-type", "application/x-www-form-urlencoded")];
    let answer = h2.request(request(Method::POST, TOKEN, &media, &form)).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(one(&answer, "cache-control"), "no-store");
    let json: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
    let token = json["access_token"].as_str().expect("a token");

    let bearer = format!("Bearer {token}");
    let fields = [("authorization", bearer.as_str()), ("x-client-id", "evil"), ("x_client_id", "evil")];
    let answer = h2.request(request(Method::GET, "/hello?m=h2-get", &fields, "")).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.body(), OK_BODY.as_bytes());
    let reached = gateway.upstream.only("m=h2-get");
    assert_eq!(reached.line, "GET /hello?m=h2-get HTTP/1.1");
    assert_eq!(reached.all("x-client-id"), ["server"], "{}", reached.text());
    assert_eq!(reached.all("x-forwarded-proto"), ["https"], "{}", reached.text());
    assert_eq!(reached.all("x-forwarded-host"), ["localhost"], "{}", reached.text());
    assert_eq!(reached.all("host").len(), 1, "{}", reached.text());
    let head = String::from_utf8_lossy(&reached.head).into_owned();
    assert!(!head.contains("evil") && !gateway.upstream.saw(token), "{}", reached.text());

    let body = "b".repeat(100_000);
    let answer = h2.request(request(Method::POST, "/api/x?m=h2-post", &fields[..1], &body)).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(gateway.upstream.only("m=h2-post").body == body.as_bytes(), "the upstream got another body");
}

#[tokio::test]
async fn http_2_refusals_match_those_of_http_1_1() {
    let gateway = shared();
    let bearer = gateway.token("server", "read");
    let bearer = format!("Bearer {bearer}");
    let good = [("authorization", bearer.as_str())];
    let mut h2 = H2::connect(gateway.gateway.tls()).await;
    let rows: &[(&str, Fields<'_>, u16, &str)] = &[
        ("/hello?m=h2-bad", &[], 401, "Bearer realm="),
        ("/hello?m=h2-bad", &[("authorization", "Bearer garbage")], 401, "error=\"invalid_token\""),
        ("/hello?m=h2-bad", &[good[0], good[0]], 400, "error=\"invalid_request\""),
        ("/write?m=h2-bad", &good, 403, "error=\"insufficient_scope\""),
        ("/nowhere?m=h2-bad", &good, 404, ""),
        ("/api/../hello?m=h2-bad", &good, 400, ""),
        ("/api/%2e%2e/hello?m=h2-bad", &good, 400, ""),
        ("/api/a%2fb?m=h2-bad", &good, 400, ""),
        ("//hello?m=h2-bad", &good, 400, ""),
        ("/hello;x?m=h2-bad", &good, 400, ""),
        ("/hello?m=h2-bad", &[good[0], ("host", "evil.example")], 400, ""),
    ];
    for (target, fields, status, challenge) in rows {
        let answer = h2.request(request(Method::GET, target, fields, "")).await;
        assert_eq!(answer.status(), *status, "{target} {fields:?}\n{answer:?}");
        assert_eq!(one(&answer, "cache-control"), "no-store", "{answer:?}");
        if !challenge.is_empty() {
            assert!(one(&answer, "www-authenticate").contains(challenge), "{target}\n{answer:?}");
        }
    }
    assert!(!gateway.upstream.saw("m=h2-bad"), "a refused request reached the upstream");
    // A refusal ends the stream, not the connection.
    let answer = h2.request(request(Method::GET, "/hello", &good, "")).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
}

#[test]
fn the_self_signed_certificate_is_created_once_with_a_private_key_file() {
    use std::os::unix::fs::PermissionsExt;
    let state = tempfile::tempdir().expect("a folder");
    let text = Config::bare()
        .listen("https://127.0.0.1:0")
        .server(&format!("state_dir = {:?}", state.path()))
        .client("server", "Password1", "scopes = []")
        .text();
    let certificate = |gateway: &Gateway| {
        let stream = connect(TcpStream::connect(gateway.tls()).expect("a connection"), &[]);
        stream.conn.peer_certificates().expect("a certificate")[0].to_vec()
    };
    let first = certificate(&Gateway::start_text(&text, &[]));
    let second = certificate(&Gateway::start_text(&text, &[]));
    assert!(first == second, "the second start created another certificate");
    let mut keys = 0;
    for entry in std::fs::read_dir(state.path()).expect("the folder").flatten() {
        let content = std::fs::read(entry.path()).unwrap_or_default();
        if String::from_utf8_lossy(&content).contains("PRIVATE KEY") {
            let mode = entry.metadata().expect("its metadata").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
            keys += 1;
        }
    }
    assert_eq!(keys, 1, "files with a private key in state_dir");
}

#[test]
fn clients_cannot_fill_the_log_with_tls_alerts() {
    let fixture = Fixture::start(|config| config.listen("https://127.0.0.1:0"));
    // A warning that the TLS library logs, like an attempt to renegotiate: RFC 5246 §7.2, user_canceled.
    const WARNING: &[u8] = b"\x15\x03\x03\x00\x02\x01\x5a";
    for _ in 0..60 {
        let mut conn = Conn::plain(fixture.gateway.tls());
        conn.send(WARNING.repeat(3));
        conn.finish();
        let _ = conn.read_rest();
    }
    fixture.gateway.wait_for("alert");
    let log = fixture.gateway.written();
    let lines = log.lines().filter(|line| line.contains("alert")).count();
    assert!((1..=30).contains(&lines), "{lines} lines\n{log}");
}
