//! Slow clients, and many from one address, on new and on used connections: each is disconnected in time, and
//! nothing incomplete is treated as complete.

use crate::support::{Config, Conn, Fixture, Gateway, Next, PATIENCE, TOKEN, Upstream, get};
use std::io::Write;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// A gateway with short timeouts and a 16 MiB resource.
fn impatient() -> Fixture {
    let fixture = Fixture::start(|config| {
        config.table(
            "[server.limits]\nheader_timeout = \"400ms\"\nbody_timeout = \"400ms\"\nwrite_timeout = \"400ms\"",
        )
    });
    fixture.upstream.on("/public/much", |_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")?;
        for _ in 0..1024 {
            out.write_all(&[b'x'; 65_536])?;
        }
        Ok(Next::KeepAlive)
    });
    fixture
}

/// A connection, new or after a response.
fn connection(fixture: &Fixture, used: bool) -> Conn {
    let mut conn = fixture.connect();
    if used {
        conn.request(get("/public/before", &[])).status(200);
    }
    conn
}

/// Asserts that the connection ends within the allowed time, and not before its timeout.
#[track_caller]
fn ends(conn: &mut Conn, started: Instant, what: &str) {
    conn.assert_closed(what);
    let took = started.elapsed();
    assert!((Duration::from_millis(350)..PATIENCE).contains(&took), "{what}: {took:?}");
}

#[test]
fn slow_heads_and_bodies_are_408_and_never_a_request() {
    let fixture = impatient();
    let bearer = fixture.bearer("server", "read");
    let head = |rest: &str| format!("POST /api/x?m=slow HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n{rest}");
    let token = format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 100\r\n\r\ngrant_type="
    );
    // Each client sends a little in time, or nothing.
    for used in [false, true] {
        for (what, request, drip) in [
            ("a head", head("X-Slow: "), "a"),
            ("a silent head", "GE".to_owned(), ""),
            ("a body of a length", head("Content-Length: 10\r\n\r\nabc"), ""),
            ("a chunked body", head("Transfer-Encoding: chunked\r\n\r\n5\r\nabc"), ""),
            ("a form", token.clone(), "x"),
        ] {
            let mut conn = connection(&fixture, used);
            let started = Instant::now();
            conn.send(&request);
            if !drip.is_empty() {
                for _ in 0..4 {
                    thread::sleep(Duration::from_millis(50));
                    conn.send_more(drip);
                }
            }
            let answer = conn.read();
            let name = format!("{what}, used before: {used}");
            assert_eq!(answer.code(), 408, "{name}\n{answer}");
            answer.own();
            ends(&mut conn, started, &name);
        }
    }
    assert!(fixture.upstream.requests("m=slow").is_empty(), "what broke off became whole");
    fixture.raw(get("/hello", &[&bearer])).status(200);
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let fixture = impatient();
    for used in [false, true] {
        let mut conn = connection(&fixture, used);
        conn.send(get("/public/much", &[]));
        conn.read_only_head().status(200);
        thread::sleep(Duration::from_millis(2_000));
        let (body, _) = conn.read_rest();
        assert!(body.len() < 67_108_864, "all of it waited in the gateway, used before: {used}");
    }
    fixture.raw(get("/public/after", &[])).status(200);
}

#[test]
fn the_body_of_a_refused_request_is_not_parsed_as_a_request() {
    // The body arrives while the refusal is being sent.
    let fixture = Fixture::start(|config| {
        config.route("path = \"/small\"\naccess = \"public\"\nupstream = \"api\"\nmax_body_size = \"10B\"")
    });
    let bearer = fixture.bearer("server", "read");
    let inner = format!("GET /hello?m=smuggled HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    for (path, fields, status) in [
        ("/api/x", "", 401),
        ("/api/x", "Expect: 100-continue\r\n", 401),
        ("/api/x", upgrade, 401),
        ("/nowhere", "", 404),
        ("/get-only", "", 405),
        ("/small", "", 413),
        ("/small", "Expect: 100-continue\r\n", 413),
        ("/api/x", "Expect: 200-maybe\r\n", 417),
        ("/api/../x", "", 400),
        (TOKEN, "Content-Type: text/plain\r\n", 400),
    ] {
        for chunked in [false, true] {
            let body =
                if chunked { format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()) } else { inner.clone() };
            let framing = if chunked {
                "Transfer-Encoding: chunked".to_owned()
            } else {
                format!("Content-Length: {}", inner.len())
            };
            let name = format!("{path} {fields:?} {framing}");
            let mut conn = fixture.connect();
            conn.send(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{fields}{framing}\r\n\r\n"));
            if status == 413 && chunked || path == TOKEN {
                conn.send_more(&body);
                conn.read().status(status);
            } else {
                conn.read().status(status);
                conn.send_more(&body);
            }
            // Closed, or the body was skipped: no part of it is answered.
            let (rest, _) = {
                conn.finish();
                conn.read_rest()
            };
            assert!(rest.is_empty(), "{name}: {}", rest.escape_ascii());
            assert!(!fixture.upstream.saw("m=smuggled"), "{name}: the body became a request");
        }
    }
}

#[test]
fn connections_per_address_are_limited() {
    let upstream = Upstream::start();
    let config = |most: u32| {
        let limits = format!("[server.limits]\nmax_connections_per_address = {most}");
        Config::standard(upstream.address()).table(&limits)
    };
    let gateway = Gateway::start(&config(3));
    let mut three: Vec<Conn> = (0..3).map(|_| Conn::plain(gateway.plain())).collect();
    for conn in &mut three {
        conn.request(get("/public/x", &[])).status(200);
    }
    let mut fourth = Conn::plain(gateway.plain());
    fourth.read().problem(503).has("retry-after", "1").has("connection", "close");
    fourth.assert_closed("one too many");
    for conn in &mut three {
        conn.request(get("/public/x", &[])).status(200);
    }
    // A reload changes the limit for new connections.
    std::fs::write(gateway.dir().join("gateway.toml"), config(4).text()).expect("gateway.toml");
    gateway.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while !gateway.written().contains("reloaded:") {
        assert!(Instant::now() < deadline, "{}", gateway.written());
        thread::sleep(Duration::from_millis(10));
    }
    three.push(Conn::plain(gateway.plain()));
    three[3].request(get("/public/x", &[])).status(200);
    Conn::plain(gateway.plain()).read().problem(503);
    drop(three);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut conn = Conn::plain(gateway.plain());
        conn.send(get("/public/x", &[]));
        // A connection that is refused before it was read may be reset.
        if conn.try_read(false).is_ok_and(|answer| answer.code() == 200) {
            break;
        }
        assert!(Instant::now() < deadline, "the places were not given back");
    }
}

#[test]
fn a_server_that_does_not_read_the_body_times_out_with_504() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (keep, kept) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Accepted and never read.
            let _ = keep.send(stream);
        }
    });
    let fixture = Fixture::start(|config| {
        config
            .table(&format!("[upstreams.deaf]\nservers = [\"http://{address}\"]\nread_timeout = \"300ms\""))
            .route("path = \"/deaf\"\naccess = \"public\"\nupstream = \"deaf\"\nmax_body_size = \"0\"")
    });
    let mut conn = fixture.connect();
    let head = "POST /deaf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n";
    conn.send([head.as_bytes(), &vec![b'x'; 50_000_000]].concat());
    conn.read().problem(504);
    drop(kept);
}

#[test]
fn an_idle_connection_is_still_usable() {
    // A connection is parked after half of its idle timeout, so all of these wait together.
    let fixture = Fixture::start(|config| {
        config.table("[server.limits]\nheader_timeout = \"500ms\"\nidle_timeout = \"6s\"")
    });
    let bearer = fixture.bearer("server", "read");
    let good = |m: &str| format!("GET /hello?m={m}. HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n");
    let mut conns: Vec<Conn> = (0..6).map(|_| connection(&fixture, true)).collect();
    // One with the beginning of a request that arrived while another was served.
    let begun = good("begun");
    let (begin, rest) = begun.split_at(9);
    conns[5].send(good("first") + begin);
    conns[5].read().status(200);
    conns[5].send_more(rest);
    conns[5].read().status(200);
    thread::sleep(Duration::from_millis(3_600));
    let [pipelined, bytewise, posting, ambiguous, slow, again] = &mut conns[..] else { unreachable!() };
    pipelined.send(good("pipe-1") + &good("pipe-2"));
    pipelined.read().status(200);
    pipelined.read().status(200);
    for byte in good("bytes").into_bytes() {
        bytewise.send([byte]);
    }
    bytewise.read().status(200);
    let post = format!(
        "POST /api/x?m=post. HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
    posting.send(post + &good("behind-post"));
    posting.read().status(200);
    posting.read().status(200);
    assert_eq!(fixture.upstream.only("m=post.").body, b"abc");
    ambiguous.send(format!(
        "POST /api/x?m=ambiguous HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ) + &good("behind-ambiguous"));
    ambiguous.read().problem(400);
    ambiguous.assert_closed("after an ambiguous request");
    let started = Instant::now();
    slow.send("G");
    assert_eq!(slow.read().code(), 408);
    ends(slow, started, "a slow head after a rest");
    again.request(good("again")).status(200);
    for marker in ["pipe-1", "pipe-2", "bytes", "behind-post", "begun", "again"] {
        fixture.upstream.only(&format!("m={marker}."));
    }
    assert!(!fixture.upstream.saw("ambiguous"));
}
