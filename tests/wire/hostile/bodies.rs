//! Unread and broken bodies, and the bytes after them on the connection.

use super::{After, alone, table};
use crate::support::get;

#[test]
fn a_broken_chunk_is_never_a_complete_request_upstream() {
    let (fixture, bearer, _turn) = alone();
    for (number, chunks) in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcX0\r\n\r\n",
        "-1\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n",
        "3 \x01\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "3_\r\nabc\r\n0\r\n\r\n",
        // Bare line feeds, which some servers accept and others do not.
        "3\nabc\n0\n\n",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3;x\nabc\r\n0\r\n\r\n",
        "3;\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\n",
        "3\r\nabc\r\n0;\n\r\n\r\n",
        // Chunks that are longer or shorter than announced.
        "3\r\nabcdef\r\n0\r\n\r\n",
        "3\r\nab\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        // Missing ends, and invalid trailers.
        "3\r\nabc\r\n",
        "3\r\nabc\r\n0",
        "3\r\nabc\r\n0\r\n",
        "3\r\nabc\r\n0\r\nX: 1\r\n",
        "3\r\nabc\r\n0\r\nGET /hello HTTP/1.1\r\n\r\n",
        "3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
        "3\r\nabc\r\n0\r\n folded\r\n\r\n",
    ]
    .iter()
    .enumerate()
    {
        let marker = format!("m=chunk-{number}.");
        let request = format!(
            "POST /api/x?{marker} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        let mut conn = fixture.connect();
        conn.send(&request);
        conn.finish();
        match conn.try_read(false) {
            Ok(answer) => {
                answer.status_in(&[400, 502]);
            }
            Err(e) => {
                assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "it hangs: {}", request.escape_default())
            }
        }
        let complete = fixture.upstream.requests(&marker);
        assert!(complete.is_empty(), "{}\n{}", request.escape_default(), complete[0].text());
    }
    fixture.raw(get("/hello", &[&bearer])).status(200);
}

#[test]
fn an_unread_body_is_never_read_as_a_request() {
    let (fixture, bearer, _turn) = alone();
    let inner = format!("GET /hello?m=smuggled HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
    let refusals: [(&str, u16, &str); 4] = [
        ("/api/x", 401, ""),
        ("/api/x", 401, "Authorization: Bearer nonsense\r\n"),
        ("/nowhere", 404, ""),
        ("/get-only", 405, ""),
    ];
    for (path, status, fields) in refusals {
        for framing in ["length", "chunked"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{fields}");
            let request = if framing == "length" {
                format!("{head}Content-Length: {}\r\n\r\n{inner}", inner.len())
            } else {
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len())
            };
            let marker = format!("m=behind-{status}-{framing}-{}.", fields.len());
            let behind = format!("GET /hello?{marker} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
            let mut conn = fixture.connect();
            conn.send(request + &behind);
            conn.read().status(status);
            // Either the body was consumed and the next request is answered, or the connection is closed.
            match conn.try_read(false) {
                Ok(answer) => {
                    answer.status(200);
                    fixture.upstream.only(&marker);
                }
                Err(_) => assert!(!fixture.upstream.saw(&marker)),
            }
            assert!(!fixture.upstream.saw("m=smuggled"), "{path} {framing}: the body became a request");
        }
    }
}

#[test]
fn a_large_unread_body_is_not_waited_for() {
    let (fixture, bearer, _turn) = alone();
    let mut conn = fixture.connect();
    conn.send("POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\npart");
    let answer = conn.read();
    answer.bearer_error(401, None);
    drop(conn);
    fixture.raw(get("/hello", &[&bearer])).status(200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (fixture, bearer, _turn) = alone();
    let mut conn = fixture.connect();
    let good = String::from_utf8(get("/hello", &[&bearer])).expect("ASCII");
    let bad = String::from_utf8(get("/hello", &[])).expect("ASCII");
    conn.send(format!("{good}{bad}{good}"));
    conn.read().status(200);
    conn.read().bearer_error(401, None);
    conn.read().status(200);
    // After a refusal that closes the connection, nothing more is read.
    let before = fixture.upstream.bytes();
    conn.send(format!("GET /api/../hello HTTP/1.1\r\nHost: localhost\r\n\r\n{good}"));
    conn.read().status(400);
    conn.assert_closed("after an ambiguous target");
    assert_eq!(fixture.upstream.bytes(), before);
}

#[test]
fn nothing_is_read_after_a_refusal_that_closes_the_connection() {
    let (fixture, bearer, _turn) = alone();
    let good = format!("GET /hello?m=behind HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
    let before = fixture.upstream.bytes();
    let ours = "Host: localhost\r\n";
    let many: String = (0..150).map(|n| format!("X-{n}: 1\r\n")).collect();
    for (statuses, bad) in [
        (&[400_u16][..], format!("GET /api/%2e%2e/hello HTTP/1.1\r\n{ours}\r\n")),
        (&[400], "GET /hello HTTP/1.1\r\n\r\n".to_owned()),
        (&[400], format!("GET /hello HTTP/1.1\r\n{ours}Host: evil.example\r\n\r\n")),
        (&[400], format!("GET http://evil.example/hello HTTP/1.1\r\n{ours}\r\n")),
        (&[400], format!("GET /hello#x HTTP/1.1\r\n{ours}\r\n")),
        (&[400], format!("GET /hello HTTP/1.1\r\n{ours}X-A : 1\r\n\r\n")),
        (&[400], format!("GET /hello HTTP/1.1\r\n{ours} folded\r\n\r\n")),
        (
            &[400],
            format!("POST /api/x HTTP/1.1\r\n{ours}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ),
        (&[400, 501], format!("POST /api/x HTTP/1.1\r\n{ours}Transfer-Encoding: gzip, chunked\r\n\r\n")),
        (&[400], format!("POST /api/x HTTP/1.1\r\n{ours}Content-Length: 1, 1\r\n\r\n")),
        (&[400], format!("POST /api/x HTTP/1.1\r\n{ours}Content_Length: 1\r\n\r\n")),
        (&[413], format!("POST /api/x HTTP/1.1\r\n{ours}{bearer}\r\nContent-Length: 20000000\r\n\r\n")),
        (&[417], format!("POST /api/x HTTP/1.1\r\n{ours}Expect: the unexpected\r\n\r\n")),
        (&[431], format!("GET /hello HTTP/1.1\r\n{ours}{many}\r\n")),
        (&[414, 431], format!("GET /api/{} HTTP/1.1\r\n{ours}\r\n", "x".repeat(20 << 10))),
        (&[400, 505], format!("GET /hello HTTP/3.0\r\n{ours}\r\n")),
    ] {
        let mut conn = fixture.connect();
        conn.send(bad.clone() + &good + &good);
        conn.read().status_in(statuses);
        conn.assert_closed(&bad);
        assert_eq!(fixture.upstream.bytes(), before, "{bad}");
    }
    fixture.raw(&good).status(200);
    assert!(fixture.upstream.bytes() > before, "the upstream records nothing, so this test shows nothing");
}

#[test]
fn other_protocols_are_closed_immediately() {
    let (fixture, _, _turn) = alone();
    let before = fixture.upstream.bytes();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"\r\n\r\n\r\n\0\0\0\r\n\r\n",
    ] {
        let mut conn = fixture.connect();
        conn.send(bytes);
        conn.finish();
        if let Ok(answer) = conn.try_read(false) {
            answer.status_in(&[400, 431, 505]);
        }
    }
    assert_eq!(fixture.upstream.bytes(), before);
    let mut tls = crate::support::Conn::plain(fixture.gateway.tls());
    tls.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    tls.finish();
    let (rest, _) = tls.read_rest();
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "plain HTTP on the TLS listener: {}", rest.escape_ascii());
}

#[test]
fn a_body_above_the_limit_is_413_before_it_is_read() {
    let declared = "POST /api/x HTTP/1.1\r\nHost: localhost\r\nBEARER\r\nContent-Length: 20000000\r\n\r\n";
    table([("declared".to_owned(), declared.as_bytes().to_vec())], &[413], After::Either);
}
