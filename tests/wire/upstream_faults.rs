//! Upstreams that refuse, stall, reset, send garbage or close: each gets a clear response, and safe requests
//! are retried.

use crate::support::upstream::ok;
use crate::support::{Config, Conn, Fixture, Gateway, Next, PATIENCE, Upstream, get, shared};
use std::io::Write;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// A gateway with an upstream without a listener, and one with a read timeout of 300 ms.
fn faulty() -> &'static Fixture {
    static FAULTY: OnceLock<Fixture> = OnceLock::new();
    FAULTY.get_or_init(|| {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let dead = free.local_addr().expect("its address");
        drop(free);
        Fixture::start(|config: Config| {
            let upstream = Upstream::start();
            upstream.on("/stalled", |_, _| {
                thread::sleep(2 * PATIENCE);
                Ok(Next::Close)
            });
            upstream.on("/stalled-body", |_, out| {
                out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")?;
                thread::sleep(2 * PATIENCE);
                Ok(Next::Close)
            });
            config
                .upstream("dead", dead)
                .table(&format!(
                    "[upstreams.slow]\nservers = [\"http://{}\"]\nread_timeout = \"300ms\"",
                    upstream.address()
                ))
                .route("path = \"/dead\"\nscopes = [\"read\"]\nupstream = \"dead\"")
                .route("path = \"/stalled\"\nscopes = [\"read\"]\nupstream = \"slow\"")
                .route("path = \"/stalled-body\"\nscopes = [\"read\"]\nupstream = \"slow\"")
        })
    })
}

#[test]
fn a_refused_connection_is_502_or_503_without_an_address() {
    let gateway = faulty();
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    for _ in 0..2 {
        let answer = conn.request(get("/dead", &[&bearer]));
        answer.status_in(&[502, 503]).problem(answer.code());
        assert!(!String::from_utf8_lossy(answer.body()).contains("127.0.0.1"), "{answer}");
    }
    // The token is checked first: without one, a client learns nothing about upstreams.
    conn.request(get("/dead", &[])).bearer_error(401, None);
    conn.request(get("/hello", &[&bearer])).status(200);
}

#[test]
fn a_slow_upstream_is_504() {
    let gateway = faulty();
    let bearer = gateway.bearer("server", "read");
    let started = Instant::now();
    gateway.raw(get("/stalled", &[&bearer])).problem(504);
    let took = started.elapsed();
    assert!((Duration::from_millis(250)..PATIENCE).contains(&took), "{took:?}");
}

#[test]
fn a_stalled_body_is_aborted() {
    let gateway = faulty();
    let bearer = gateway.bearer("server", "read");
    let mut conn = gateway.connect();
    conn.send(get("/stalled-body", &[&bearer]));
    conn.read_only_head().status(200).has("content-length", "10");
    let started = Instant::now();
    let (body, _) = conn.read_rest();
    assert_eq!(body, b"abc");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn broken_responses_are_502_and_the_next_request_succeeds() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let rows: &[(&str, Next, &str)] = &[
        ("/api/closes", Next::Close, ""),
        ("/api/resets", Next::Reset, ""),
        ("/api/garbage", Next::Close, "\x16\x03\x01 what is this\r\n\r\n"),
        ("/api/half-a-head", Next::Close, "HTTP/1.1 200 OK\r\nContent-Le"),
        ("/api/spaces", Next::Close, "HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n"),
        (
            "/api/two-lengths",
            Next::Close,
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        ),
        (
            "/api/unasked",
            Next::Close,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        ),
    ];
    for (path, next, answer) in rows {
        gateway.upstream.on_bytes(path, *next, *answer);
        let answer = gateway.raw(get(path, &[&bearer]));
        answer.problem(502);
        gateway.raw(get("/hello", &[&bearer])).status(200);
    }
}

#[test]
fn a_truncated_body_is_not_forwarded_as_complete() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    for (path, next, answer) in [
        ("/api/cut-length", Next::Close, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo little"),
        (
            "/api/cut-chunks",
            Next::Close,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\ntoo little\r\n",
        ),
        ("/api/cut-reset", Next::Reset, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo little"),
    ] {
        gateway.upstream.on_bytes(path, next, answer);
        let mut conn = gateway.connect();
        conn.send(get(path, &[&bearer]));
        match conn.try_read(false) {
            // A reset may overtake the head.
            Ok(answer) => assert_eq!(answer.code(), 502, "an answer that looks complete\n{answer}"),
            Err(e) => assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "{path}: it hangs"),
        }
        gateway.raw(get("/hello", &[&bearer])).status(200);
    }
}

#[test]
fn a_response_with_both_framings_does_not_poison_the_connection() {
    // A separate gateway: connections of other tests would be mistaken for those of this one.
    let gateway = Fixture::start(|config| config);
    let bearer = gateway.bearer("server", "read");
    gateway.upstream.on_bytes(
        "/api/both-framings",
        Next::KeepAlive,
        "HTTP/1.1 200 OK\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    );
    let mut conn = gateway.connect();
    let answer = conn.request(get("/api/both-framings", &[&bearer]));
    answer.status_in(&[200, 502]);
    if answer.code() == 200 {
        assert_eq!(answer.body(), b"ab", "{answer}");
        assert!(
            answer.all("content-length").is_empty() || answer.all("transfer-encoding").is_empty(),
            "both framings went on\n{answer}"
        );
    }
    gateway.raw(get("/hello?m=after-both", &[&bearer])).status(200);
    assert_eq!(gateway.upstream.only("m=after-both").place, 0, "the connection was used again");
}

/// A separate gateway, because its idle connections must not affect other tests.
fn own() -> (Gateway, Upstream, String) {
    let fixture = Fixture::start(|config| config);
    let bearer = fixture.bearer("server", "read");
    (fixture.gateway, fixture.upstream, bearer)
}

#[test]
fn upstream_connections_are_reused_unless_stale() {
    let (gateway, upstream, bearer) = own();
    let mut conn = Conn::plain(gateway.plain());
    for number in 0..5 {
        conn.request(get(&format!("/hello?m=reuse-{number}."), &[&bearer])).status(200);
    }
    assert_eq!(upstream.only("m=reuse-4.").place, 4, "five requests in turn, one connection");

    for number in 0..10 {
        upstream.close_all();
        let target = format!("/hello?m=stale-{number}.");
        if number % 2 == 0 {
            conn.request(get(&target, &[&bearer])).status(200);
        } else {
            // The close must arrive first: a request that was never written may be retried whatever its
            // method.
            thread::sleep(Duration::from_millis(20));
            let post = format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: 2\r\n\r\nhi"
            );
            conn.request(post).status(200);
        }
        upstream.only(&format!("m=stale-{number}."));
    }
}

#[test]
fn only_idempotent_requests_are_retried() {
    let (gateway, upstream, bearer) = own();
    upstream.on("/api/second-closes", |request, out| {
        if request.place > 0 {
            return Ok(Next::Close);
        }
        out.write_all(&ok("{}"))?;
        Ok(Next::KeepAlive)
    });
    upstream.on_bytes("/api/post-closes", Next::Close, "");
    let mut conn = Conn::plain(gateway.plain());
    for number in 0..3 {
        conn.request(get(&format!("/api/second-closes?m=retry-{number}."), &[&bearer])).status(200);
    }
    assert!(
        upstream.requests("m=retry-").len() > 3,
        "no request met a closing upstream, so nothing was shown"
    );
    let post = format!(
        "POST /api/post-closes?m=no-retry HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: 2\r\n\r\nhi"
    );
    conn.request(post).problem(502);
    upstream.only("m=no-retry");
}

#[test]
fn a_request_is_retried_at_most_as_often_as_configured() {
    let (gateway, upstream, bearer) = own();
    upstream.on_bytes("/api/all-close", Next::Close, "");
    let mut conn = Conn::plain(gateway.plain());
    // A kept connection first: the server closes it with the request on its way, and the new one after it,
    // too.
    conn.request(get("/hello?m=warm", &[&bearer])).status(200);
    conn.request(get("/api/all-close?m=most", &[&bearer])).problem(502);
    assert_eq!(upstream.requests("m=most").len(), 2, "retries = 1");
    conn.request(get("/api/all-close?m=fresh", &[&bearer])).problem(502);
    assert_eq!(upstream.requests("m=fresh").len(), 2, "retries = 1");
}

#[test]
fn a_client_that_disconnects_closes_its_upstream_connection() {
    let (gateway, upstream, bearer) = own();
    upstream.on("/api/endless", |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        // The read fails once the gateway closes; the limit is for a gateway that does not.
        for _ in 0..500 {
            out.write_all(b"4\r\nmore\r\n")?;
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Next::Close)
    });
    let mut conn = Conn::plain(gateway.plain());
    conn.send(get("/api/endless?m=endless", &[&bearer]));
    conn.read_only_head().status(200);
    conn.read_some("more");
    drop(conn);
    let mut conn = Conn::plain(gateway.plain());
    conn.request(get("/hello?m=after-endless", &[&bearer])).status(200);
    assert_eq!(
        upstream.only("m=after-endless").place,
        0,
        "a connection in the middle of an answer was used again"
    );
}
