//! Upstreams that speak HTTP/2: what reaches them, what comes back, and what is retried when a connection
//! closes.

mod protocol;

use crate::support::h2_upstream::{Act, H2Upstream, fine};
use crate::support::{Config, Conn, Gateway, PATIENCE, get};
use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Response};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn config(scheme: &str, address: SocketAddr, lines: &str) -> Config {
    Config::bare()
        .table(&format!(
            "[upstreams.api]\nservers = [\"{scheme}://localhost:{}\"]\nprotocol = \"http2\"\n{lines}",
            address.port()
        ))
        .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"")
}

/// A gateway in front of `upstream`, with further settings.
fn gateway(upstream: &H2Upstream, lines: &str) -> Gateway {
    Gateway::start(&config("http", upstream.address(), lines))
}

/// Waits until the gateway has written a line that contains `text`.
#[track_caller]
fn wrote(gateway: &Gateway, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !gateway.written().contains(text) {
        assert!(Instant::now() < deadline, "{text:?} is not in the log\n{}", gateway.written());
        thread::sleep(Duration::from_millis(5));
    }
}

fn post(target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[test]
fn an_http_1_1_request_is_translated_to_http_2() {
    let upstream = H2Upstream::start(|_| fine("{}"));
    let gateway = gateway(&upstream, "");
    let mut conn = Conn::plain(gateway.plain());
    conn.request(
        "PUT /a%62c?x=%zz HTTP/1.1\r\nHost: front.test:81\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: gzip, trailers\r\nCookie: a=1; b=2\r\n\
         Expect: 100-continue\r\nX-Client-Id: evil\r\nContent-Length: 4\r\nX-Kept: Here\r\n\r\nbody",
    )
    .status(200);
    let arrived = upstream.only("x=%zz");
    let (head, headers) = (&arrived.head, &arrived.head.headers);
    assert_eq!(head.method, "PUT");
    assert_eq!(head.uri.to_string(), "http://front.test:81/abc?x=%zz");
    assert_eq!(arrived.body, b"body");
    for (name, value) in [
        ("cookie", "a=1; b=2"),
        ("te", "trailers"),
        ("content-length", "4"),
        ("x-kept", "Here"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "front.test:81"),
        ("x-forwarded-proto", "http"),
        ("via", "1.1 tollgate"),
    ] {
        let found: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(found, [value], "{name}: {headers:?}");
    }
    for gone in
        ["host", "connection", "keep-alive", "proxy-connection", "x-hop", "expect", "x-client-id", "upgrade"]
    {
        assert!(!headers.contains_key(gone), "{gone}: {headers:?}");
    }
    // HTTP/2 has no upgrades: the request is sent without it.
    conn.request(get("/plain?m=upgrade", &["Connection: upgrade", "Upgrade: websocket"])).status(200);
    assert!(!upstream.only("m=upgrade").head.headers.contains_key("upgrade"));
}

#[test]
fn bodies_and_trailers_are_forwarded_in_both_directions() {
    let upstream = H2Upstream::start(|arrived| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        trailers.insert("set-cookie", HeaderValue::from_static("late=1"));
        let head = Response::builder().header("trailer", "x-sum").body(()).expect("a head");
        Act::TestResponse(head, vec![Bytes::from(arrived.body.clone())], Some(trailers))
    });
    let gateway = gateway(&upstream, "");
    let body: Vec<u8> = (0..3_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let head = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = Conn::plain(gateway.plain()).request([head.as_bytes(), &body].concat());
    assert!(answer.status(200).body() == body, "other bytes came back");
    assert!(upstream.only("/echo").body == body, "other bytes arrived");

    let mut conn = Conn::plain(gateway.plain());
    conn.send(
        "POST /trailers HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Check\r\n\r\n3\r\nabc\r\n0\r\nX-Check: 7\r\nAuthorization: Bearer x\r\n\r\n",
    );
    conn.read_only_head().status(200);
    conn.read_some("0\r\nx-sum: 42\r\n\r\n");
    let arrived = upstream.only("/trailers");
    assert_eq!(arrived.body, b"abc");
    let trailers = arrived.trailers.expect("trailers");
    assert_eq!((trailers.len(), &trailers["x-check"]), (1, &HeaderValue::from_static("7")));
}

#[test]
fn responses_without_a_body_have_none() {
    let upstream = H2Upstream::start(|arrived| match arrived.head.uri.path() {
        "/204" => Act::TestResponse(Response::builder().status(204).body(()).expect("a head"), vec![], None),
        "/304" => Act::TestResponse(
            Response::builder().status(304).header("etag", "\"e\"").body(()).expect("a head"),
            vec![],
            None,
        ),
        "/head" => Act::TestResponse(
            Response::builder().header("content-length", "12").body(()).expect("a head"),
            vec![],
            None,
        ),
        "/empty" => Act::TestResponse(Response::new(()), vec![], None),
        _ => fine("whole"),
    });
    let gateway = gateway(&upstream, "");
    let mut conn = Conn::plain(gateway.plain());
    conn.request(get("/204", &[])).status(204).lacks("content-length");
    conn.request(get("/304", &[])).status(304).has("etag", "\"e\"");
    conn.send("HEAD /head HTTP/1.1\r\nHost: localhost\r\n\r\n");
    conn.read_head_only().status(200).has("content-length", "12");
    assert_eq!(conn.request(get("/empty", &[])).status(200).body(), b"");
    assert_eq!(conn.request(get("/whole", &[])).status(200).body(), b"whole");
    assert_eq!(upstream.only("/whole").connection, 0, "one connection does for all");
}

#[test]
fn requests_share_connections_up_to_the_server_s_stream_limit() {
    let upstream = H2Upstream::with(Some(2), None, |_| Act::Hold(Response::new(())));
    let gateway = gateway(&upstream, "");
    // The first request opens the connection, which makes the server's limit known.
    let mut first = Conn::plain(gateway.plain());
    first.send(get("/first", &[]));
    upstream.wait_for(1);
    let mut conns: Vec<Conn> = (0..7)
        .map(|number| {
            let mut conn = Conn::plain(gateway.plain());
            conn.send(get(&format!("/held-{number}"), &[]));
            conn
        })
        .collect();
    upstream.wait_for(8);
    let mut per_connection = [0; 8];
    for arrived in upstream.arrived("/") {
        per_connection[arrived.connection] += 1;
    }
    assert_eq!(per_connection, [2, 2, 2, 2, 0, 0, 0, 0], "requests on each connection");
    upstream.release(8);
    for conn in conns.iter_mut().chain([&mut first]) {
        conn.read().status(200);
    }
}

#[test]
fn requests_refused_before_processing_are_retried() {
    let refused = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&refused);
    let upstream = H2Upstream::start(move |arrived| match arrived.head.uri.path() {
        "/always" => Act::Reset(Reason::REFUSED_STREAM),
        "/once" if counter.fetch_add(1, Ordering::Relaxed) == 0 => Act::Reset(Reason::REFUSED_STREAM),
        "/cancelled" => Act::Reset(Reason::CANCEL),
        _ => fine("done"),
    });
    let gateway = gateway(&upstream, "");
    let mut conn = Conn::plain(gateway.plain());
    // A POST with its body: the server said that it did not process it.
    conn.request(post("/once", "pay 5")).status(200);
    let arrived: Vec<_> = upstream.arrived("/once").into_iter().map(|arrived| arrived.body).collect();
    assert_eq!(arrived, [b"pay 5", b"pay 5"]);
    // As often as `retries` says, which is once.
    conn.request(post("/always", "x")).problem(502);
    assert_eq!(upstream.arrived("/always").len(), 2);
    // Any other reset does not say that.
    conn.request(post("/cancelled", "x")).problem(502);
    upstream.only("/cancelled");
}

#[test]
fn a_server_that_exceeds_the_total_timeout_is_ejected() {
    let [first, second] = [0, 1].map(|_| H2Upstream::start(|_| Act::Hold(Response::new(()))));
    let urls = [&first, &second].map(|upstream| format!("http://{}", upstream.address()));
    let config = Config::bare()
        .table(&format!(
            "[upstreams.api]\nservers = {urls:?}\nprotocol = \"http2\"\ntotal_timeout = \"200ms\"\n\
             ejection = {{ failures = 1, for = \"1h\", max = \"1h\" }}"
        ))
        .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"");
    let gateway = Gateway::start(&config);
    Conn::plain(gateway.plain()).request(get("/held", &[])).problem(504);
    wrote(&gateway, "is ejected for 3600s");
}

#[test]
fn a_connection_with_goaway_gets_no_more_requests() {
    let upstream = H2Upstream::start(|arrived| match arrived.head.uri.path() {
        "/go-away" => Act::GoAway,
        _ => fine("done"),
    });
    let gateway = gateway(&upstream, "");
    let mut conn = Conn::plain(gateway.plain());
    for number in 0..10 {
        conn.request(get("/go-away", &[])).status(200);
        conn.request(post(&format!("/after-{number}."), "x")).status(200);
        upstream.only(&format!("/after-{number}."));
    }
}

/// A server that responds to the first request on each of the first `goodbyes` connections with GOAWAY.
fn server_that_begins_nothing(goodbyes: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let counter = Arc::clone(&counter);
            thread::spawn(move || {
                let mut stream = stream;
                let mut preface = [0; 24];
                stream.read_exact(&mut preface)?;
                stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])?;
                loop {
                    let mut head = [0; 9];
                    stream.read_exact(&mut head)?;
                    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
                    stream.read_exact(&mut payload)?;
                    // HEADERS
                    if head[3] == 1 {
                        counter.fetch_add(1, Ordering::Relaxed);
                        if number < goodbyes {
                            // GOAWAY, last stream 0, NO_ERROR
                            stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
                            return Ok(());
                        }
                        // HEADERS, END_STREAM and END_HEADERS: `:status: 200` of the static table
                        let answer = [&[0, 0, 1, 1, 5][..], &head[5..9], &[0x88]].concat();
                        stream.write_all(&answer)?;
                    }
                }
                #[allow(unreachable_code, reason = "it names the error's type")]
                std::io::Result::Ok(())
            });
        }
    });
    (address, requests)
}

#[test]
fn requests_above_the_last_stream_of_a_goaway_are_retried() {
    let (address, requests) = server_that_begins_nothing(2);
    let gateway = Gateway::start(&config("http", address, "retries = 2"));
    Conn::plain(gateway.plain()).request(post("/pay", "5")).status(200);
    assert_eq!(requests.load(Ordering::Relaxed), 3);
}

#[test]
fn stale_connections_cause_no_502() {
    let upstream = H2Upstream::start(|_| fine("done"));
    let gateway = gateway(&upstream, "");
    let mut conn = Conn::plain(gateway.plain());
    conn.request(get("/first", &[])).status(200);
    for number in 0..10 {
        upstream.close_all();
        let target = format!("/stale-{number}.");
        // No byte of it was written, so the method does not matter.
        if number % 2 == 0 {
            conn.request(get(&target, &[])).status(200);
        } else {
            conn.request(post(&target, "x")).status(200);
        }
        upstream.only(&target);
    }
}

#[test]
fn requests_that_may_have_been_processed_are_not_retried() {
    let upstream = H2Upstream::start(|arrived| match arrived.head.uri.path() {
        "/closes" => Act::Close,
        _ => fine("done"),
    });
    let gateway = gateway(&upstream, "");
    let mut conn = Conn::plain(gateway.plain());
    for _ in 0..2 {
        conn.request(get("/warm", &[])).status(200);
        conn.request(post("/closes", "pay 5")).problem(502);
    }
    assert_eq!(upstream.arrived("/closes").len(), 2, "a POST was sent again");
}

#[test]
fn truncated_responses_are_forwarded_as_truncated() {
    let upstream = H2Upstream::start(|arrived| match arrived.head.uri.path() {
        "/reset" => Act::Break(
            Response::builder().header("content-length", "100").body(()).expect("a head"),
            Bytes::from_static(b"too little"),
            Reason::INTERNAL_ERROR,
        ),
        "/reset-chunked" => {
            Act::Break(Response::new(()), Bytes::from_static(b"too little"), Reason::INTERNAL_ERROR)
        }
        "/large-head" => Act::TestResponse(
            Response::builder().header("x", "y".repeat(80_000)).body(()).expect("a head"),
            vec![],
            None,
        ),
        "/hop" => Act::TestResponse(
            Response::builder().header("keep-alive", "timeout=9").body(()).expect("a head"),
            vec![],
            None,
        ),
        _ => fine("done"),
    });
    let gateway = gateway(&upstream, "");
    for path in ["/reset", "/reset-chunked"] {
        let mut conn = Conn::plain(gateway.plain());
        conn.send(get(path, &[]));
        let end =
            conn.try_read(false).err().unwrap_or_else(|| panic!("{path}: an answer that looks complete"));
        assert_ne!(end.kind(), std::io::ErrorKind::WouldBlock, "{path}: it hangs");
    }
    let mut conn = Conn::plain(gateway.plain());
    conn.request(get("/large-head", &[])).problem(502);
    conn.request(get("/hop", &[])).status_in(&[200, 502]).lacks("keep-alive");
    conn.request(get("/fine", &[])).status(200);
}

#[test]
fn a_silent_server_is_504() {
    let upstream = H2Upstream::start(|arrived| match arrived.head.uri.path() {
        "/silent" => Act::Hold(Response::new(())),
        _ => fine("done"),
    });
    let gateway = gateway(&upstream, "read_timeout = \"200ms\"");
    let mut conn = Conn::plain(gateway.plain());
    conn.request(get("/silent", &[])).problem(504);
    conn.request(get("/fine", &[])).status(200);
    assert_eq!(upstream.only("/fine").connection, 0, "one slow request is not the connection's fault");
    wrote(&gateway, "no response in time");
}

#[test]
fn a_client_that_pauses_does_not_time_out_the_server() {
    let upstream = H2Upstream::start(|_| fine("done"));
    let gateway = gateway(&upstream, "read_timeout = \"200ms\"");
    let mut conn = Conn::plain(gateway.plain());
    let request = post("/paused", "abcdef");
    let (now, later) = request.split_at(request.len() - 3);
    conn.send(now);
    // Three times the server's read timeout.
    thread::sleep(Duration::from_millis(600));
    conn.send(later);
    conn.read().status(200);
    assert_eq!(upstream.only("/paused").body, b"abcdef");
}
