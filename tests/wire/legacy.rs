//! Legacy clients and servers: unusual but valid messages are forwarded as they are, and missing parts are
//! tolerated.

use crate::support::{Conn, Fixture, Next, get};
use std::io::Write;
use std::thread;
use std::time::Duration;

fn fixture() -> Fixture {
    Fixture::start(|config| config)
}

#[test]
fn a_client_that_closes_its_sending_side_gets_its_response() {
    let gateway = fixture();
    gateway.upstream.on("/public/slow", |_, out| {
        thread::sleep(Duration::from_millis(300));
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow").map(|()| Next::KeepAlive)
    });
    let bearer = gateway.bearer("server", "read");
    for (path, status, rounds) in
        [("/hello", 200, 50), ("/public/slow", 200, 10), ("/nowhere", 404, 10), ("/api/../x", 400, 10)]
    {
        for round in 0..rounds {
            let mut conn = gateway.connect();
            conn.send(get(path, &[&bearer]));
            conn.finish();
            assert_eq!(conn.read().code(), status, "{path}, round {round}");
            conn.assert_closed(path);
        }
    }
    // With a body, and with further requests pipelined.
    let mut conn = gateway.connect();
    let post = format!("POST /api/x HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: 3\r\n\r\nabc");
    conn.send(post + &String::from_utf8(get("/hello", &[&bearer])).expect("ASCII"));
    conn.finish();
    conn.read().status(200);
    conn.read().status(200);
    conn.assert_closed("after the last answer");
}

#[test]
fn http_1_0_needs_no_host() {
    let gateway = Fixture::start(|config| {
        config
            .route("path = \"/by-host\"\nhost = \"api.example\"\naccess = \"public\"\nupstream = \"api\"")
            .route("prefix = \"/any-host\"\naccess = \"public\"\nupstream = \"api\"")
    });
    let server = gateway.upstream.address().to_string();
    gateway.raw("GET /any-host?m=old. HTTP/1.0\r\n\r\n").status(200).has("connection", "close");
    let seen = gateway.upstream.only("m=old.");
    assert_eq!((seen.all("host"), seen.all("x-forwarded-host")), (vec![&*server], vec![]), "{}", seen.text());
    assert!(seen.line.ends_with("HTTP/1.1"), "{}", seen.text());
    gateway.raw("GET /by-host HTTP/1.0\r\n\r\n").problem(404);
    gateway.raw("GET /by-host HTTP/1.0\r\nHost: api.example\r\n\r\n").status(200);
    gateway.raw("GET /any-host HTTP/1.1\r\n\r\n").problem(400);
}

#[test]
fn http_1_0_clients_are_not_promised_persistence() {
    let gateway = fixture();
    let keep = "Connection: keep-alive\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    gateway.upstream.on_bytes("/public/chunked", Next::KeepAlive, chunked);
    gateway.upstream.on_bytes("/public/open", Next::Close, "HTTP/1.0 200 OK\r\n\r\nhi");
    // With a length, the connection persists and says so.
    let mut conn = gateway.connect();
    for _ in 0..2 {
        let answer = conn.request(format!("GET /public/x HTTP/1.0\r\n{keep}"));
        answer.status(200).has("connection", "keep-alive").lacks("transfer-encoding");
    }
    // Without a length, it cannot persist.
    for path in ["/public/chunked", "/public/open"] {
        let mut conn = gateway.connect();
        conn.send(format!("GET {path} HTTP/1.0\r\n{keep}"));
        let head = conn.read_head_only();
        head.status(200).has("connection", "close").lacks("transfer-encoding");
        let (body, end) = conn.read_rest();
        assert_eq!((&*body, end.is_ok()), (&b"hi"[..], true), "{path}");
    }
}

#[test]
fn a_query_is_forwarded_byte_for_byte() {
    let gateway = fixture();
    let bearer = gateway.bearer("server", "read");
    for (number, query) in
        [&b"a=\"b\""[..], b"<a>&{b}", b"a^b`c|d\\e", "q=\u{e4}\u{f6}".as_bytes(), b"\xff\xfe", b"?%zz", b""]
            .iter()
            .enumerate()
    {
        let marker = format!("m=query-{number}.");
        let request = [b"GET /hello?", format!("{marker}&").as_bytes(), query].concat();
        let rest = format!(" HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
        gateway.raw([&*request, rest.as_bytes()].concat()).status(200);
        let seen = gateway.upstream.only(&marker);
        let line = [&request[..], b" HTTP/1.1\r\n"].concat();
        assert!(seen.head.starts_with(&line), "{}", seen.text());
    }
    let in_path =
        [&b"GET /api/\"x HTTP/1.1\r\nHost: localhost\r\n"[..], bearer.as_bytes(), b"\r\n\r\n"].concat();
    gateway.raw(in_path).problem(400);
}

#[test]
fn field_names_keep_their_case_and_the_reason_phrase_is_forwarded() {
    let gateway = fixture();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes(
        "/api/legacy",
        Next::KeepAlive,
        "HTTP/1.1 404 Nicht gefunden\r\nServer: Old/1\r\nX-MiXeD: Yes\r\nContent-Length: 2\r\nETAG: \"a\"\r\n\r\nhi",
    );
    let request = format!(
        "POST /api/legacy?m=case HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nSOAPAction: \"x\"\r\nContent-Length: 2\r\n\
         x-LOWER-upper: 1\r\n\r\nhi"
    );
    let answer = gateway.raw(request);
    let head = answer.head();
    assert!(head.starts_with("HTTP/1.1 404 Nicht gefunden\r\n"), "{head}");
    for line in ["Server: Old/1\r\n", "X-MiXeD: Yes\r\n", "Content-Length: 2\r\n", "ETAG: \"a\"\r\n"] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    let seen = gateway.upstream.only("m=case").text();
    for line in
        ["SOAPAction: \"x\"\r\n", "Content-Length: 2\r\n", "x-LOWER-upper: 1\r\n", "Host: localhost\r\n"]
    {
        assert!(seen.contains(line), "{line} is not in {seen}");
    }
}

#[test]
fn repairable_responses_are_repaired() {
    let gateway = fixture();
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes(
        "/api/odd",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nX-Space : 1\r\nX-Fold: a\r\n  b\r\n\tc\r\nContent-Length: 2\r\ncontent-length: 2\r\nX-End: e\n\r\nhi",
    );
    let mut conn = gateway.connect();
    for _ in 0..2 {
        let answer = conn.request(get("/api/odd", &[&bearer]));
        assert_eq!(answer.status(200).body(), b"hi");
        let head = answer.head();
        for line in ["X-Space: 1\r\n", "X-Fold: a b c\r\n", "X-End: e\r\n"] {
            assert!(head.contains(line), "{line} is not in {head}");
        }
        assert_eq!(answer.all("content-length"), ["2"]);
    }
    // Both requests use one connection: nothing about the response was in doubt.
    assert_eq!(gateway.upstream.requests("/api/odd").iter().map(|seen| seen.place).max(), Some(1));
    for (name, odd) in [
        ("lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi"),
        ("both", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("fold-first", " X: y\r\nContent-Length: 2\r\n\r\nhi"),
        ("nul", "X: a\0b\r\nContent-Length: 2\r\n\r\nhi"),
    ] {
        let path = format!("/api/odd-{name}");
        gateway.upstream.on_bytes(&path, Next::Close, format!("HTTP/1.1 200 OK\r\n{odd}"));
        gateway.raw(get(&path, &[&bearer])).problem(502);
    }
}

#[test]
fn a_truncated_response_is_forwarded_as_truncated_or_502() {
    let gateway = fixture();
    let bearer = gateway.bearer("server", "read");
    let head = "HTTP/1.1 200 OK\r\nX-Kept: 1\r\nContent-Length: 10\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    gateway.upstream.on_bytes("/api/cut/some", Next::Close, format!("{head}abc"));
    gateway.upstream.on_bytes("/api/cut/chunk", Next::Close, chunked);
    gateway.upstream.on_bytes("/api/cut/none", Next::Close, head);
    gateway.upstream.on_bytes("/api/cut/head", Next::Close, "HTTP/1.1 200 OK\r\nX-Ke");
    for _ in 0..15 {
        for (path, body) in [("/api/cut/some", "abc"), ("/api/cut/chunk", "3\r\nabc\r\n")] {
            let mut conn = gateway.connect();
            conn.send(get(path, &[&bearer]));
            conn.read_only_head().status(200);
            let (rest, _) = conn.read_rest();
            assert_eq!(String::from_utf8_lossy(&rest), body, "{path}");
        }
        // The client always gets the head, or a 502 if no head was sent yet.
        let mut conn = gateway.connect();
        conn.send(get("/api/cut/none", &[&bearer]));
        conn.read_only_head().status_in(&[200, 502]);
        gateway.raw(get("/api/cut/head", &[&bearer])).problem(502);
    }
}

#[test]
fn interim_responses_are_forwarded_to_http_1_1_clients() {
    let gateway = fixture();
    gateway.upstream.on_bytes(
        "/public/hints",
        Next::KeepAlive,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Hop\r\n\
         X-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    let mut conn = gateway.connect();
    conn.send(get("/public/hints", &[]));
    conn.read_only_head().status(102);
    let hints = conn.read_only_head();
    hints.status(103).has("link", "</a.css>").lacks("x-hop").lacks("content-length");
    assert_eq!(conn.read().status(200).body(), b"hi");
    conn.request(get("/public/next", &[])).status(200);
    // HTTP/1.0 has no interim responses.
    let old = gateway.raw("GET /public/hints HTTP/1.0\r\n\r\n");
    assert_eq!(old.status(200).body(), b"hi");
}

#[test]
fn requests_are_parsed_strictly() {
    let gateway = fixture();
    let bearer = gateway.bearer("server", "read");
    let before = gateway.upstream.bytes();
    let request_with =
        |head: &str, body: &str| format!("{head} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n{body}");
    for (name, request) in [
        ("a bare line feed", request_with("GET /hello", "X: 1\n\r\n")),
        ("line feeds alone", format!("GET /hello HTTP/1.1\nHost: localhost\n{bearer}\n\n")),
        ("a length twice", request_with("POST /api/x", "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi")),
        ("a length as a list", request_with("POST /api/x", "Content-Length: 2, 2\r\n\r\nhi")),
    ] {
        let mut conn: Conn = gateway.connect();
        conn.send(&request);
        assert_eq!(conn.read().code(), 400, "{name}");
        conn.assert_closed(name);
    }
    assert_eq!(gateway.upstream.bytes(), before);
    for ext in [";", ";=b", ";a=", ";a=\"b", ";a b", " "] {
        let chunks = format!("Transfer-Encoding: chunked\r\n\r\n2{ext}\r\nhi\r\n0\r\n\r\n");
        assert_eq!(gateway.raw(request_with("POST /api/x?m=ext", &chunks)).code(), 400, "{ext:?}");
    }
    assert!(gateway.upstream.requests("m=ext").is_empty(), "a malformed extension passed");
}
