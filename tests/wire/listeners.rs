//! A listener that redirects to https.

use crate::support::{Config, Conn, Gateway, get, shared, tls};

fn gateway() -> Gateway {
    let config = Config::standard(shared().upstream.address()).listen("https://127.0.0.1:0").text();
    let redirect = "{ url = \"http://127.0.0.1:0\", redirect = \"https\" }";
    Gateway::start_text(&config.replacen("\"http://127.0.0.1:0\"", redirect, 1), &[])
}

#[test]
fn every_request_is_redirected_to_its_own_host_path_and_query() {
    let gateway = gateway();
    let (plain, port) = (gateway.plain(), gateway.tls().port());
    let mut conn = Conn::plain(plain);
    for (request, location) in [
        ("GET /hello?a=b%20c&d HTTP/1.1\r\nHost: API.example.com:80\r\n\r\n", "API.example.com"),
        ("HEAD /hello?a=b%20c&d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "127.0.0.1"),
        ("GET http://other.example/hello?a=b%20c&d HTTP/1.1\r\nHost: other.example\r\n\r\n", "other.example"),
        ("GET /hello?a=b%20c&d HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "[::1]"),
    ] {
        conn.send(request);
        let answer = if request.starts_with("HEAD") { conn.read_head_only() } else { conn.read() };
        answer.status(308).has("location", &format!("https://{location}:{port}/hello?a=b%20c&d"));
        answer.has("cache-control", "no-store");
    }
    // A path that looks like a host stays a path.
    conn.request("GET /%2e.evil.example/x HTTP/1.1\r\nHost: a\r\n\r\n")
        .status(308)
        .has("location", &format!("https://a:{port}/%2e.evil.example/x"));
    // The token endpoint does not answer here either, and the body is not read.
    let mut conn = Conn::plain(plain);
    let token = "POST /oauth/v2/oauth-token HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nnot=read!";
    conn.request(token).status(308).has("location", &format!("https://a:{port}/oauth/v2/oauth-token"));
    conn.assert_closed("its body was not read");
}

#[test]
fn requests_without_a_host_or_with_an_ambiguous_one_are_refused() {
    let gateway = gateway();
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example/\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = Conn::plain(gateway.plain()).request(request);
        answer.status(400).lacks("location");
    }
    // The https listener is not affected.
    assert_eq!(tls::negotiated(gateway.tls(), &["http/1.1"]).as_deref(), Some("http/1.1"));
    Conn::tls(gateway.tls(), &["http/1.1"]).request(get("/hello", &[])).status(401);
}
