//! Servers that need a `Host` of their own, a length in front of every body, or a connection that is not too
//! old.

use crate::support::frames::{END_HEADERS, Frames, Outcome, block, frame};
use crate::support::h2_upstream::{H2Upstream, fine};
use crate::support::{Config, Conn, Fixture, Gateway, Next, PATIENCE, Upstream, get};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

const HEADERS: u8 = 1;
const DATA: u8 = 0;
const END_STREAM: u8 = 1;

fn host_of(lines: &str, servers: &[&Upstream]) -> Gateway {
    let urls: Vec<String> = servers.iter().map(|server| format!("http://{}", server.address())).collect();
    Gateway::start(
        &Config::bare()
            .table(&format!("[upstreams.h]\nservers = {urls:?}\n{lines}"))
            .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"h\""),
    )
}

#[test]
fn the_host_is_the_clients_the_servers_or_a_name() {
    for lines in ["", "host = \"preserve\"", "host = \"upstream\"", "host = \"Orders.internal:81\""] {
        let upstream = Upstream::start();
        let probes = "health_check = { path = \"/health?m=probe\", interval = \"50ms\" }";
        let gateway = host_of(&format!("{lines}\n{probes}"), &[&upstream]);
        let own = upstream.address().to_string();
        let (host, probe) = match lines {
            "host = \"upstream\"" => (&*own, &*own),
            "" | "host = \"preserve\"" => ("front.example:8", &*own),
            _ => ("orders.internal:81", "orders.internal:81"),
        };
        let mut conn = Conn::plain(gateway.plain());
        conn.request("GET /a?m=host HTTP/1.1\r\nhOsT: front.example:8\r\n\r\n").status(200);
        let seen = upstream.only("m=host");
        assert_eq!(seen.all("host"), [host], "{lines}\n{}", seen.text());
        assert_eq!(seen.all("x-forwarded-host"), ["front.example:8"], "{lines}\n{}", seen.text());
        upstream.wait_for("m=probe");
        let deadline = Instant::now() + PATIENCE;
        while upstream.requests("m=probe").is_empty() {
            assert!(Instant::now() < deadline, "no probe");
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(upstream.requests("m=probe")[0].all("host"), [probe], "{lines}");
    }
}

#[test]
fn each_server_gets_its_own_host_after_a_failure_too() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let gateway = host_of("host = \"upstream\"\nejection = false", &[&one, &two]);
    let mut conn = Conn::plain(gateway.plain());
    for number in 0..4 {
        conn.request(get(&format!("/a?m=own-{number}."), &[])).status(200);
    }
    one.stop();
    for number in 4..8 {
        conn.request(get(&format!("/a?m=own-{number}."), &[])).status(200);
    }
    for server in [&one, &two] {
        let seen = server.requests("m=own");
        assert!(seen.len() >= 2, "both serve");
        let own = server.address().to_string();
        assert!(seen.iter().all(|seen| seen.all("host") == [&*own]), "{}", seen[0].text());
    }
    assert_eq!(one.requests("m=own").len() + two.requests("m=own").len(), 8);
}

fn buffering() -> Fixture {
    Fixture::start(|config| {
        config
            .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
            .route("prefix = \"/old\"\naccess = \"public\"\nupstream = \"api\"\nbuffer_request = \"2KiB\"")
            .route("prefix = \"/paid\"\nscopes = [\"write\"]\nupstream = \"api\"\nbuffer_request = \"1KiB\"")
    })
}

#[test]
fn a_buffered_body_has_a_length_and_nothing_is_sent_before_it_is_whole() {
    let fixture = buffering();
    let mut conn = fixture.connect();
    conn.send(
        "POST /old/a?m=buffered HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    // The gateway serves the other connection now, so it has read the first.
    fixture.raw(get("/public/x?m=between", &[])).status(200);
    assert!(!fixture.upstream.saw("m=buffered"));
    conn.send("2;ext=1\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n");
    conn.read().status(200);
    let seen = fixture.upstream.only("m=buffered");
    assert_eq!(
        String::from_utf8_lossy(&seen.head),
        "POST /old/a?m=buffered HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-forwarded-for: 127.0.0.1\r\n\
         x-forwarded-proto: http\r\nx-forwarded-host: localhost\r\nvia: 1.1 tollgate\r\ncontent-length: 5\r\n\r\n"
    );
    assert_eq!(seen.body, b"abcde");
    assert!(!fixture.upstream.saw("X-Trailer"));
    // A body with a length is buffered too, and the connection stays open.
    conn.request("PUT /old/a?m=known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi").status(200);
    let seen = fixture.upstream.only("m=known");
    assert_eq!((seen.all("content-length"), seen.body.as_slice()), (vec!["2"], &b"hi"[..]));
    conn.request(
        "POST /old/a?m=none HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    .status(200);
    assert_eq!(fixture.upstream.only("m=none").all("content-length"), ["0"]);
    conn.request(get("/old/a?m=get", &[])).status(200);
    assert!(fixture.upstream.only("m=get").all("content-length").is_empty());
}

#[test]
fn a_body_beyond_the_buffer_is_413_and_never_arrives() {
    let fixture = buffering();
    let big = "x".repeat(2049);
    let known = format!("POST /old/big HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2049\r\n\r\n{big}");
    fixture.raw(known).problem(413);
    let chunked = format!(
        "POST /old/big HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n801\r\n{big}\r\n0\r\n\r\n"
    );
    fixture.raw(chunked).problem(413);
    // A client without permission is refused before anything is buffered.
    let expects =
        "POST /paid HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    fixture.raw(expects).status(401);
    assert!(!fixture.upstream.saw("/old/big") && !fixture.upstream.saw("/paid"));
}

#[test]
fn a_buffered_request_that_may_be_repeated_is_sent_again_with_its_body() {
    let fixture = buffering();
    let tries = std::sync::atomic::AtomicUsize::new(0);
    fixture.upstream.on("/old/again", move |_, out| {
        if tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            return Ok(Next::Close);
        }
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").map(|()| Next::KeepAlive)
    });
    fixture.raw("PUT /old/again HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi").status(200);
    let bodies: Vec<_> =
        fixture.upstream.requests("/old/again").iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, [b"hi", b"hi"]);
}

fn h2_request(fixture: &Fixture, method: &str, path: &str, body: &[&str]) -> Outcome {
    let mut frames = Frames::open(fixture.gateway.h2c());
    let head =
        block(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]);
    let ends = if body.is_empty() { END_STREAM } else { 0 };
    frames.send(frame(HEADERS, END_HEADERS | ends, 1, &head));
    for (number, piece) in body.iter().enumerate() {
        let ends = if number + 1 == body.len() { END_STREAM } else { 0 };
        frames.send(frame(DATA, ends, 1, piece.as_bytes()));
    }
    frames.outcome(1)
}

#[test]
fn http_2_requests_get_a_length_too() {
    let fixture = buffering();
    for method in ["POST", "PUT", "PATCH", "GET", "DELETE"] {
        let path = format!("/public/empty?m=h2-{method}.");
        assert!(matches!(h2_request(&fixture, method, &path, &[]), Outcome::Status(200)));
        let seen = fixture.upstream.only(&format!("m=h2-{method}."));
        let expected = if matches!(method, "GET" | "DELETE") { vec![] } else { vec!["0"] };
        assert_eq!(seen.all("content-length"), expected, "{}", seen.text());
        assert!(seen.all("transfer-encoding").is_empty(), "{}", seen.text());
    }
    assert!(matches!(
        h2_request(&fixture, "POST", "/old/h2?m=h2-buffered", &["abc", "de"]),
        Outcome::Status(200)
    ));
    let seen = fixture.upstream.only("m=h2-buffered");
    assert_eq!(
        (seen.all("content-length"), seen.body.as_slice()),
        (vec!["5"], &b"abcde"[..]),
        "{}",
        seen.text()
    );
    assert!(seen.all("transfer-encoding").is_empty());
    let big = "x".repeat(2049);
    assert!(matches!(h2_request(&fixture, "POST", "/old/h2-big", &[&big]), Outcome::Status(413)));
    assert!(!fixture.upstream.saw("h2-big"));
}

#[test]
fn an_old_connection_is_not_used_again() {
    // The first answer of a connection says how long the server waits.
    for (lines, header, reused) in [
        ("idle_timeout = \"1ms\"", "", false),
        ("", "Keep-Alive: timeout=0\r\n", false),
        ("", "keep-alive: max=9, Timeout=60\r\n", true),
        ("", "", true),
    ] {
        let upstream = Upstream::start();
        let gateway = host_of(lines, &[&upstream]);
        let answer = format!("HTTP/1.1 200 OK\r\n{header}Content-Length: 0\r\n\r\n");
        upstream.on_bytes("/a", Next::KeepAlive, answer);
        let mut conn = Conn::plain(gateway.plain());
        conn.request(get("/a?m=age-1", &[])).status(200).lacks("keep-alive");
        thread::sleep(Duration::from_millis(10));
        conn.request(get("/a?m=age-2", &[])).status(200);
        assert_eq!(upstream.only("m=age-2").place, usize::from(reused), "{lines}{header}");
    }
}

#[test]
fn an_http_2_server_is_asked_for_its_own_host() {
    let upstream = H2Upstream::start(|_| fine("{}"));
    let address = upstream.address();
    let gateway = Gateway::start(
        &Config::bare()
            .table(&format!(
                "[upstreams.h2]\nservers = [\"http://{address}\", \"http://localhost:{}\"]\nprotocol = \"http2\"\n\
                 host = \"upstream\"",
                address.port()
            ))
            .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"h2\""),
    );
    let mut conn = Conn::plain(gateway.plain());
    for _ in 0..4 {
        conn.request(get("/a?m=hosts", &[])).status(200);
    }
    let mut hosts: Vec<String> = upstream
        .arrived("m=hosts")
        .iter()
        .map(|arrived| arrived.head.uri.authority().expect("an authority").to_string())
        .collect();
    hosts.sort();
    let (ip, name) = (address.to_string(), format!("localhost:{}", address.port()));
    assert_eq!(hosts, [&ip, &ip, &name, &name].map(Clone::clone));
}
